"""`dra-grpo doctor`: what works here."""

import os
import platform
import re
import socket
from importlib.metadata import PackageNotFoundError, requires, version
from urllib.parse import urlsplit

from dra_grpo.cli.tables import CommandParser, table

TESTED = {"torch": "2.13.0", "trl": "1.16.0", "transformers": "5.23.0", "accelerate": "1.15.0", "datasets": "5.2.0"}
"""The versions the tests ran with."""


def run(arguments: list[str]) -> None:
    """Run `dra-grpo doctor`."""
    CommandParser(prog="dra-grpo doctor", description=__doc__).parse_args(arguments)
    import torch

    cards = [torch.cuda.get_device_properties(place) for place in range(torch.cuda.device_count())]
    gpus = ", ".join(f"{card.name} ({card.total_memory / 2**30:.0f} GiB)" for card in cards) or "none that torch sees"
    machine = {"python": platform.python_version(), "cpus": os.cpu_count(), "gpus": gpus, "hub": _hub()}
    print(table(["package", "installed", "tested with"], [(name, _version(name), TESTED[name]) for name in TESTED]))
    print("\n" + table(["extra", "works"], _extras()))
    print("\n" + table(["machine", ""], machine.items()))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _extras() -> list[tuple[str, str]]:
    """Each extra, and whether the packages that it brings are there."""
    try:
        lines = "\n".join(requires("dra-grpo") or ())
    except PackageNotFoundError:
        return [("unknown", "dra-grpo is not installed, Python finds its source alone: pip install dra-grpo")]
    found = re.findall(r"^([\w.-]+).*; extra == ['\"](\w+)['\"]$", lines, re.MULTILINE)
    rows = []
    for extra in sorted({extra for _, extra in found}):
        missing = ", ".join(package for package, of in found if of == extra and _version(package) == "missing")
        rows.append((extra, f"no ({missing} missing): pip install 'dra-grpo[{extra}]'" if missing else "yes"))
    return rows


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
