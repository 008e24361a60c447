"""Where prompts come from; `TASKS` is the built-in ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dra_grpo.registry import Registry
from dra_grpo.tasks.countdown import BASE_POLICY, problems
from dra_grpo.tasks.countdown.splits import Split
from dra_grpo.tasks.data import dataset_rows


class Task(NamedTuple):
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


def countdown_rows(split: Split, count: int | None = None, size: int = 3, seed: int = 0) -> list[dict[str, Any]]:
    """The rows of `problems`: the same arguments.

    >>> countdown_rows("test", 1)
    [{'prompt': '2,22,22>46:', 'numbers': [2, 22, 22], 'target': 46}]
    """
    return [problem.row for problem in problems(split, count, size, seed)]


_KNOWN = "reach a target; all solutions are known, so evaluation is exact"
_OWN = "problems of your own: a file, a folder or a Hub id"
_TASKS = (
    Task("countdown", _KNOWN, ("countdown",), BASE_POLICY, countdown_rows),
    Task("dataset", _OWN, ("accuracy",), None, dataset_rows),
)
TASKS: Registry[Task] = Registry("task", "dra_grpo.tasks", {task.name: task for task in _TASKS})
"""name -> task."""
