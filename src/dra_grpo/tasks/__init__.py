"""Where prompts come from; `TASKS` is the built-in ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dra_grpo.registry import Registry
from dra_grpo.tasks.countdown import BASE_POLICY, problems
from dra_grpo.tasks.data import dataset_rows


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


def _countdown_rows(split: str, count: int | None = None, size: int = 3, seed: int = 0) -> list[dict[str, Any]]:
    return [problem.row for problem in problems(split, count, size=size, seed=seed)]  # type: ignore[arg-type]


TASKS: Registry[Task] = Registry(
    "task",
    "dra_grpo.tasks",
    {
        "countdown": Task(
            "countdown",
            "reach a target from three or four numbers; every solution is known, so evaluation is exact",
            ("countdown",),
            BASE_POLICY,
            _countdown_rows,
        ),
        "dataset": Task(
            "dataset",
            "problems of your own or from the Hub: dataset_name is a file, a folder or a Hub id",
            ("accuracy",),
            None,
            dataset_rows,
        ),
    },
)
