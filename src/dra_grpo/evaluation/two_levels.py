"""Accuracies measured with n samples a problem: how much of their error is problems, how much samples.

Both levels are random: another benchmark of the kind would have other problems, another run other samples. For the
mean over M problems of value_i, each the mean of n samples,

    Var(mean) = (σ_B² + σ_W²) / M,    σ_W² = mean_i Var(value_i | problem i),

and the variance of the observed values estimates the sum of both. For these very problems only σ_W² / M is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.intervals import CHUNK, Interval, bootstrap_mean


class Arm(NamedTuple):
    """One model's right answers on M problems.

    Attributes:
        correct: (M,) counts.
        samples: (M,) how many samples each count is of, 1 or more.
        sign: 1, or -1 for what is subtracted.
    """

    correct: Tensor
    samples: Tensor
    sign: int = 1


@dataclass(frozen=True)
class Spread:
    """Where the variance of per-problem values comes from.

    Attributes:
        total: variance of the observed values, σ_B² + σ_W².
        within: σ_W², unbiased; None where a problem has one sample only, which does not tell.
        one_sample: what σ_W² would be with one sample a problem, and model; None likewise.
        problems: M.
    """

    total: float
    within: float | None
    one_sample: float | None
    problems: int

    @property
    def between(self) -> float:
        """σ_B², at least 0."""
        return max(0.0, self.total - (self.within or 0.0))

    @property
    def stderr(self) -> float:
        """Standard error of the mean for other problems of the kind and other samples."""
        return sqrt(self.total / self.problems)

    @property
    def stderr_samples(self) -> float | None:
        """Standard error of the mean for these very problems and other samples."""
        return None if self.within is None else sqrt(self.within / self.problems)


def values(arms: Sequence[Arm]) -> Tensor:
    """Per-problem accuracy of one arm, or difference of two: Σ sign · correct / samples, (M,) float64."""
    return torch.stack([arm.sign * arm.correct.double() / arm.samples for arm in arms]).sum(0)


def spread(arms: Sequence[Arm]) -> Spread:
    """The variance of per-problem values and the part of it that is sampling.

    Of one mean of n draws of a coin, p̂(1 − p̂) / (n − 1) estimates the variance without bias.

    >>> spread([Arm(torch.tensor([2.0, 1.0]), torch.tensor([2, 2]))])
    Spread(total=0.125, within=0.125, one_sample=0.25, problems=2)

    Source: Miller, 2024, arXiv 2411.00640, section 3.
    """
    observed = values(arms)
    total = observed.var().item() if len(observed) > 1 else 0.0
    if any((arm.samples < 2).any() for arm in arms):
        return Spread(total, None, None, len(observed))
    variances = [_variance(arm) for arm in arms]
    return Spread(
        total,
        torch.stack(variances).sum(0).mean().item(),
        torch.stack([variance * arm.samples for variance, arm in zip(variances, arms, strict=True)])
        .sum(0)
        .mean()
        .item(),
        len(observed),
    )


def two_level_means(arms: Sequence[Arm], resamples: int = 10_000, seed: int = 0) -> Tensor:
    """Bootstrap means over problems, then over each drawn problem's samples.

    Drawing at both levels as they are would count σ_W² twice, since the observed values already carry it: by up to 41%
    too wide an interval where two models are alike. So problems are drawn from values pulled towards their mean by
    √(1 − σ_W² / total), which leaves σ_B², and the samples bring σ_W² back.

    Args:
        arms: one, or two for a difference, on the same M problems.
        resamples: R.
        seed: draws them; the same problems for every figure of M problems.

    Returns:
        (R,) float64.

    Source: Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    """
    observed = values(arms)
    parts = spread(arms)
    problems = len(observed)
    kept = sqrt(parts.between / parts.total) if parts.total else 0.0
    widened = sqrt(problems / (problems - 1)) if problems > 1 else 1.0
    centred = kept * widened * (observed - observed.mean())
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, CHUNK // problems)
    means = []
    for start in range(0, resamples, rows):
        drawn = torch.randint(problems, (min(rows, resamples - start), problems), generator=generator)
        means.append(observed.mean() + (centred[drawn] + _noise(arms, drawn, generator)).mean(-1))
    return torch.cat(means)


def accuracy_interval(arms: Sequence[Arm], confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean accuracy, or mean difference, with the percentile interval of `two_level_means`.

    Where no problem differs from any other, a bootstrap would say that there is no error at all; then
    `constant_interval` holds. The noise of few samples may lead below 0 or above 1, where no accuracy is.
    """
    observed = values(arms)
    lowest = 0.0 if all(arm.sign > 0 for arm in arms) else -1.0
    if observed.min() == observed.max() and not any((_variance(arm) > 0).any() for arm in arms):
        return constant_interval(observed[0].item(), len(observed), confidence, lowest)
    interval = percentile_interval(observed.mean().item(), two_level_means(arms, seed=seed), confidence)
    return interval._replace(low=max(lowest, interval.low), high=min(1.0, interval.high))


def share_interval(shares: Tensor, confidence: float = 0.95, seed: int = 0) -> Interval:
    """Mean over problems of an unbiased per-problem figure in [0, 1], such as pass@k.

    Problems are drawn, each with its samples as they are. That carries the error of the samples too; drawing those
    again with replacement would repeat some, and pass@k falls with every repetition.
    """
    if shares.min() == shares.max():
        return constant_interval(shares[0].item(), len(shares), confidence)
    return bootstrap_mean(shares, confidence=confidence, seed=seed)


def constant_interval(value: float, problems: int, confidence: float = 0.95, lowest: float = 0.0) -> Interval:
    """The interval of a mean when all `problems` showed the same `value`, of a figure in [`lowest`, 1].

    A share q of other problems may show another value; with q above 1 − ((1 − confidence) / 2)^(1/M) these M would
    have shown it. For 0 or M of M right this is Clopper and Pearson's interval.

    >>> constant_interval(0.0, 30)
    Interval(value=0.0, low=0.0, high=0.115...)
    """
    other = 1 - ((1 - confidence) / 2) ** (1 / problems)
    return Interval(value, value - other * (value - lowest), value + other * (1 - value))


def percentile_interval(value: float, resampled: Tensor, confidence: float = 0.95) -> Interval:
    """`value` between the (1 ± confidence) / 2 quantiles of resampled means."""
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is {confidence}, expected a number between 0 and 1")
    tails = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
    return Interval(value, *resampled.quantile(tails).tolist())


def average_interval(parts: Sequence[Interval], resampled: Sequence[Tensor]) -> Interval:
    """The mean over benchmarks, each counting the same, with its 95% interval.

    A benchmark whose problems all came out alike has nothing to resample; the bound that its own interval puts on
    other problems is added as an independent error.

    Args:
        parts: each benchmark's own interval.
        resampled: (R,) resampled means of each.
    """
    value = sum(part.value for part in parts) / len(parts)
    around = percentile_interval(value, torch.stack(list(resampled)).mean(0))
    alike = [part for part, means in zip(parts, resampled, strict=True) if means.max() - means.min() < 1e-9]
    return Interval(
        value,
        value - hypot(value - around.low, *((part.value - part.low) / len(parts) for part in alike)),
        value + hypot(around.high - value, *((part.high - part.value) / len(parts) for part in alike)),
    )


def _variance(arm: Arm) -> Tensor:
    """(M,) variance of an arm's accuracy given the problem, unbiased; 0 where one sample does not tell."""
    rate = arm.correct.double() / arm.samples
    return rate * (1 - rate) / (arm.samples - 1).clamp(min=1)


def _noise(arms: Sequence[Arm], drawn: Tensor, generator: torch.Generator) -> Tensor:
    """What other samples of the drawn problems would change: (R, M) of mean 0 and unbiased variance."""
    noise = torch.zeros(drawn.shape, dtype=torch.float64)
    for arm in arms:
        count = arm.samples.double()
        rate = arm.correct.double() / count
        again = torch.binomial(count[drawn], rate[drawn], generator=generator) / count[drawn] - rate[drawn]
        noise += arm.sign * again * (count / (count - 1).clamp(min=1)).sqrt()[drawn]
    return noise
