"""Where prompts come from; `TASKS` is the built-in ones."""

from __future__ import annotations

from typing import Any

from dra_grpo.registry import Registry
from dra_grpo.tasks.countdown import BASE_POLICY, problems
from dra_grpo.tasks.data import dataset_rows
from dra_grpo.tasks.task import Task


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

__all__ = ["TASKS", "Task"]
