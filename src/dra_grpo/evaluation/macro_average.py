"""The mean over benchmarks, each counting the same whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from dra_grpo.evaluation.intervals import Interval
from dra_grpo.evaluation.two_levels import Arm, average_interval, spread, two_level_means


def macro_average(tasks: dict[str, Any]) -> dict[str, Any] | None:
    """The mean of the tasks' avg@n with its interval and standard errors; None for one task."""
    if len(tasks) < 2:
        return None
    arms = [_arm(task["per_problem"]) for task in tasks.values()]
    resampled = [two_level_means([one], seed=number) for number, one in enumerate(arms)]
    entries = [task["figures"][f"avg@{task['samples']}"] for task in tasks.values()]
    interval = average_interval([Interval(*(one[end] for end in Interval._fields)) for one in entries], resampled)
    parts = [spread([one]) for one in arms]
    known = [part.stderr_samples for part in parts if part.stderr_samples is not None]
    return {
        "tasks": list(tasks),
        "value": interval.value,
        "low": max(0.0, interval.low),
        "high": min(1.0, interval.high),
        "stderr": sum(part.stderr**2 for part in parts) ** 0.5 / len(parts),
        "stderr_samples": sum(error**2 for error in known) ** 0.5 / len(parts) if len(known) == len(parts) else None,
    }


def _arm(rows: Sequence[dict[str, Any]]) -> Arm:
    return Arm(torch.tensor([row["correct"] for row in rows]), torch.tensor([row["samples"] for row in rows]))
