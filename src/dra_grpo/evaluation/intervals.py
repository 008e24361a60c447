"""Percentile bootstrap intervals over problems, and the figures of `eval.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from dra_grpo.errors import UsageError

CHUNK = 1 << 22


class Interval(NamedTuple):
    """An estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def bootstrap_mean(values: Tensor, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0) -> Interval:
    """The mean over problems with its percentile bootstrap interval.

    Each resample draws N problems with replacement; the interval ends are the (1 ± confidence) / 2 quantiles of the
    resampled means. One seed draws the same problems for any figure of N problems.

    Args:
        values: (N,) one figure per problem.
        confidence: the interval's coverage, between 0 and 1.
        resamples: how many resamples.
        seed: draws the resamples.

    Returns:
        The mean and the interval's ends.

    Raises:
        UsageError: no values, more than one dimension, a value that is not finite, a confidence outside
            (0, 1), or no resamples.

    >>> bootstrap_mean(torch.tensor([1.0, 1.0, 1.0]))
    Interval(value=1.0, low=1.0, high=1.0)

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3.
    """
    if values.ndim != 1 or len(values) == 0:
        raise UsageError(f"a bootstrap over problems needs (N,) values with N > 0, got shape {tuple(values.shape)}")
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}, expected a number between 0 and 1")
    if resamples < 1:
        raise UsageError(f"resamples is {resamples}, expected 1 or more")
    values = values.detach().to("cpu", torch.float64)
    if not values.isfinite().all():
        row = int((~values.isfinite()).nonzero()[0])
        raise UsageError(f"the value of problem {row} is {values[row].item()}; a bootstrap needs finite values")
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, CHUNK // len(values))
    means = []
    for start in range(0, resamples, rows):
        shape = (min(rows, resamples - start), len(values))
        means.append(values[torch.randint(len(values), shape, generator=generator)].mean(-1))
    tails = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    low, high = torch.cat(means).quantile(tails).tolist()
    return Interval(values.mean().item(), low, high)


def bootstrap_difference(
    values: Tensor, reference: Tensor, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The mean of `values - reference` on the same N problems, with its paired bootstrap interval.

    Args:
        values: (N,) a figure per problem.
        reference: (N,) the same figure of what is compared with, on the same problems in the same order.
        confidence, resamples, seed: as in `bootstrap_mean`.

    Returns:
        The mean difference and the interval's ends.

    Raises:
        UsageError: the shapes differ, or what `bootstrap_mean` refuses.

    >>> bootstrap_difference(torch.tensor([0.5, 1.0]), torch.tensor([0.25, 0.75]))
    Interval(value=0.25, low=0.25, high=0.25)
    """
    if values.shape != reference.shape:
        raise UsageError(
            f"a paired difference needs the same problems on both sides, got shapes {tuple(values.shape)} "
            f"and {tuple(reference.shape)}"
        )
    difference = values.double() - reference.double()
    return bootstrap_mean(difference, confidence=confidence, resamples=resamples, seed=seed)


def figure_intervals(figures: Mapping[str, Tensor], *, seed: int = 0) -> dict[str, dict[str, float]]:
    """Per-problem figures as one side of `eval.json`: name -> value, low, high (95%).

    Args:
        figures: name -> (N,), as `exact_figures` gives them.
        seed: draws the resamples, the same problems for every figure.

    >>> figure_intervals({"pass@1": torch.tensor([0.5, 0.5])})
    {'pass@1': {'value': 0.5, 'low': 0.5, 'high': 0.5}}
    """
    return {name: bootstrap_mean(values, seed=seed)._asdict() for name, values in figures.items()}


def figure_differences(
    trained: Mapping[str, Tensor], base: Mapping[str, Tensor], *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Trained minus base for every figure, paired by problem: name -> value, low, high (95%).

    Args:
        trained: name -> (N,), as `exact_figures` gives them.
        base: the same names, on the same problems in the same order.
        seed: draws the resamples, the same problems for every figure.

    Raises:
        UsageError: the two sides do not have the same figures or shapes.

    >>> figure_differences({"pass@1": torch.tensor([0.75, 0.75])}, {"pass@1": torch.tensor([0.5, 0.5])})
    {'pass@1': {'value': 0.25, 'low': 0.25, 'high': 0.25}}
    """
    if trained.keys() != base.keys():
        raise UsageError(
            f"trained has the figures {', '.join(trained)} and base {', '.join(base)}; both need the same"
        )
    return {name: bootstrap_difference(values, base[name], seed=seed)._asdict() for name, values in trained.items()}
