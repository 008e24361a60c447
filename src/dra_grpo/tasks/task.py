"""What a built-in task brings to a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """Prompts, and what is known about them.

    Attributes:
        name: its name in `TASKS`.
        summary: one line for `dra-grpo list tasks`.
        rewards: names in `REWARDS`, the first of which says what is correct.
        policy: a base policy that comes with it, None where the user brings one.
        rows: (split, count, **options) -> dataset rows with a `prompt` column and what the rewards read.
    """

    name: str
    summary: str
    rewards: tuple[str, ...]
    policy: Path | None
    rows: Callable[..., list[dict[str, Any]]]
