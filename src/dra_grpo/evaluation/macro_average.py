"""The mean over benchmarks, each counting the same whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import Any

import torch

from dra_grpo.evaluation.two_levels import Arm, accuracy_interval, percentile_interval, spread, two_level_means


def macro_average(tasks: dict[str, Any]) -> dict[str, Any] | None:
    """The mean of the tasks' avg@n with its interval and standard errors; None for one task."""
    if len(tasks) < 2:
        return None
    arms = [_arm(task["per_problem"]) for task in tasks.values()]
    resampled = torch.stack([two_level_means([one], seed=number) for number, one in enumerate(arms)]).mean(0)
    means = [(one.correct / one.samples).mean().item() for one in arms]
    parts = [spread([one]) for one in arms]
    value = sum(means) / len(means)
    interval = percentile_interval(value, resampled)
    # A task whose problems all came out alike has no spread to resample, only the bound of its own interval.
    constant = [accuracy_interval([one]) for one, part in zip(arms, parts, strict=True) if part.total == 0]
    low = value - hypot(value - interval.low, *((one.value - one.low) / len(arms) for one in constant))
    high = value + hypot(interval.high - value, *((one.high - one.value) / len(arms) for one in constant))
    known = [part.stderr_samples for part in parts if part.stderr_samples is not None]
    return {
        "tasks": list(tasks),
        "value": value,
        "low": low,
        "high": high,
        "stderr": sum(part.stderr**2 for part in parts) ** 0.5 / len(parts),
        "stderr_samples": sum(error**2 for error in known) ** 0.5 / len(parts) if len(known) == len(parts) else None,
    }


def _arm(rows: Sequence[dict[str, Any]]) -> Arm:
    return Arm(torch.tensor([row["correct"] for row in rows]), torch.tensor([row["samples"] for row in rows]))
