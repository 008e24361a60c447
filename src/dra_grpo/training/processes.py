"""Which process of a run this is, before anything is built that would know."""

from __future__ import annotations

import os


def launched_processes() -> int:
    """Processes of this run, as torchrun and accelerate tell each of them."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main_process() -> bool:
    """Whether this is the one that writes."""
    return int(os.environ.get("RANK", 0)) == 0
