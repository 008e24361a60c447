"""Means over problems and what they are worth: intervals, the noise of samples, tests of differences."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import ceil, comb, hypot, sqrt
from typing import Any

import numpy as np

from dra_grpo.errors import UsageError

SHARE = (0.0, 1.0)
"""Bounds of what is a share of something."""


def bounds(metric: str) -> tuple[float, float] | None:
    """The ends of what the mean of a metric can be: those of a share, none for a count.

    >>> bounds("pass@16"), bounds("distinct")
    ((0.0, 1.0), None)
    """
    return None if "distinct" in metric or metric == "tokens" else SHARE


@dataclass(frozen=True)
class Estimate:
    """A mean over problems with its 95% interval and standard error, for other problems of the kind."""

    value: float
    low: float
    high: float
    stderr: float


def estimate(
    values: Any, bounds: tuple[float, float] | None = None, clusters: Sequence[Hashable] | None = None
) -> Estimate:
    """The mean over problems with its t interval: mean ± t₀.₉₇₅(C − 1) · s, s² = C/(C − 1) · Σ_c (Σ_{i∈c} rᵢ)² / M².

    rᵢ is a problem's distance from the mean, and c one of C clusters of problems that are not independent, such as
    those that share a set of numbers. Each problem its own cluster, that is the plain mean ± t₀.₉₇₅(M − 1) · sd / √M.

    Each problem's value carries the noise of its own samples, so the interval speaks of other problems and other
    samples. Where all C clusters are alike, s is 0 and says nothing: another value could be had by a share of
    clusters up to Clopper and Pearson's bound for 0 of C, and that share at the ends of `bounds` gives the interval.

    Args:
        values: (M,) one number a problem, a tensor, an array or a list.
        bounds: the ends of what the mean can be; None: unbounded.
        clusters: (M,) labels, equal for problems that are not independent; None: all are.

    Raises:
        UsageError: no values, more than one dimension, a value that is not finite, or another number of labels.

    >>> estimate([0.5, 0.25, 0.75])
    Estimate(value=0.5, low=-0.1210..., high=1.1210..., stderr=0.1443...)
    >>> estimate([0.0] * 30, SHARE)
    Estimate(value=0.0, low=0.0, high=0.1157..., stderr=0.0)
    >>> estimate([0.5, 0.5, 0.25, 0.25, 0.75, 0.75], clusters=["a", "a", "b", "b", "c", "c"])
    Estimate(value=0.5, low=-0.1210..., high=1.1210..., stderr=0.1443...)

    Source: Miller, 2024, arXiv 2411.00640, sections 2 and 2.2; Clopper and Pearson, 1934.
    """
    from scipy.stats import binomtest, t

    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise UsageError(f"an estimate needs (M,) finite values with M > 0, got shape {values.shape}: {values[:3]}")
    labels = range(len(values)) if clusters is None else clusters
    if len(labels) != len(values):
        raise UsageError(f"an estimate of {len(values)} values got {len(labels)} cluster labels; expected one a value")
    mean = float(values.mean())
    lowest, highest = bounds or (mean, mean)
    distances = cluster_sums(values - mean, labels)
    count = len(distances)
    if np.abs(distances).max() <= 1e-12 * np.abs(values).max():  # alike but for rounding
        share = binomtest(0, count).proportion_ci(method="exact").high
        return Estimate(mean, mean - share * (mean - lowest), mean + share * (highest - mean), 0.0)
    error = sqrt(count / (count - 1) * float(distances @ distances)) / len(values)
    low, high = (float(end) for end in t.interval(0.95, count - 1, mean, error))
    return Estimate(mean, *((low, high) if bounds is None else (max(low, lowest), min(high, highest))), error)


def cluster_sums(values: Any, clusters: Sequence[Hashable]) -> np.ndarray:
    """The sum over each cluster, (C,), in the order of first appearance.

    >>> cluster_sums([1.0, 2.0, 4.0], ["a", "b", "a"])
    array([5., 2.])
    """
    sums: dict[Hashable, float] = {}
    for label, value in zip(clusters, values, strict=True):
        sums[label] = sums.get(label, 0.0) + value
    return np.array(list(sums.values()))


def average(parts: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates, such as one of each benchmark; distances to the ends add in squares.

    >>> average([Estimate(0.5, 0.25, 0.875, 0.125), Estimate(0.75, 0.75, 0.75, 0.0)])
    Estimate(value=0.625, low=0.5, high=0.8125, stderr=0.0625)

    Source: Zou and Donner, 2008, "Construction of confidence limits about effect measures".
    """
    count = len(parts)
    value = sum(part.value for part in parts) / count
    below, above = hypot(*(p.value - p.low for p in parts)), hypot(*(p.high - p.value for p in parts))
    return Estimate(value, value - below / count, value + above / count, hypot(*(p.stderr for p in parts)) / count)


def pass_at_k(correct: int, samples: int, k: int) -> float:
    """1 − C(n − c, k) / C(n, k): the unbiased estimate of the chance that one of k samples of a problem is right.

    Args:
        correct: c of its samples.
        samples: n, at least k.
        k: how many.

    >>> [round(pass_at_k(correct, 8, k=4), 4) for correct in (0, 2, 8)]
    [0.0, 0.7857, 1.0]

    Source: Chen et al., 2021, arXiv 2107.03374, eq. 1.
    """
    return 1 - comb(samples - correct, k) / comb(samples, k)


def majority(votes: Sequence[int], worth: Sequence[float], blank: int, k: int, rng: np.random.Generator) -> float:
    """maj@k of one problem: how often the most frequent answer of k of its n samples is right, over 1,000 draws.

    k samples are drawn without replacement; for k = n that is the plain vote. A tie is broken by lot, and samples
    without an answer do not vote. The standard error is at most .016, and over M problems √M times less.

    Args:
        votes: the samples that gave each answer.
        worth: of electing it, 1 or 0.
        blank: samples without an answer.
        k: how many vote, 1 to n.
        rng: draws.

    >>> rng = np.random.default_rng(0)
    >>> majority([2, 1], [1.0, 0.0], blank=0, k=3, rng=rng), majority([1, 1], [1.0, 0.0], blank=0, k=2, rng=rng)
    (1.0, 0.5)

    Source: self-consistency, Wang et al., 2022, arXiv 2203.11171.
    """
    if not votes:
        return 0.0
    drawn = rng.multivariate_hypergeometric([*votes, blank], k, size=1000)[:, :-1]
    elected = (drawn == drawn.max(1, keepdims=True)) & (drawn > 0)
    return float((elected @ np.asarray(worth) / elected.sum(1).clip(1)).mean())


@dataclass(frozen=True)
class Spread:
    """Where the variance of per-problem accuracies, or of their paired differences, comes from.

    Attributes:
        problems: M.
        total: the variance that is observed, between problems and within them.
        within: the part that is the noise of the samples.
        one_sample: what `within` would be with one sample a problem and model.
    """

    problems: int
    total: float
    within: float
    one_sample: float

    @property
    def stderr(self) -> float:
        """Of the mean for these very problems, from sampling alone."""
        return sqrt(self.within / self.problems)


def spread(*sides: tuple[Any, Any]) -> Spread | None:
    """The variance of one model's accuracies, or of two models' difference; None where one sample does not tell.

    Of the mean of n draws of a coin, p̂(1 − p̂) / (n − 1) estimates the variance without bias.

    Args:
        sides: right answers and samples of each problem, both (M,), of one model or two.

    >>> spread(([2, 1], [2, 2]))
    Spread(problems=2, total=0.125, within=0.125, one_sample=0.25)

    Source: Miller, 2024, arXiv 2411.00640, section 3.
    """
    values, within, one_sample = np.zeros(len(sides[0][0])), 0.0, 0.0
    for sign, (correct, samples) in zip((1, -1), sides, strict=False):
        rate, n = np.asarray(correct) / np.asarray(samples), np.asarray(samples)
        if n.min() < 2:
            return None
        noise = rate * (1 - rate) / (n - 1)
        values = values + sign * rate
        within += float(noise.mean())
        one_sample += float((noise * n).mean())
    return Spread(len(values), float(values.var(ddof=1)) if len(values) > 1 else 0.0, within, one_sample)


@dataclass(frozen=True)
class Detection:
    """What it takes to see a difference.

    Attributes:
        size: of the difference, as a share (0.01 is one point).
        samples_fixed: samples a problem and model where the claim is about these very problems.
        samples_other: the same where it is about other problems of the kind; None where no number of samples is
            enough, since these problems differ too much among themselves.
        problems: problems of this kind that would be enough with the samples there are now.
    """

    size: float
    samples_fixed: int
    samples_other: int | None
    problems: int


def detection(size: float, difference: Spread | None) -> Detection:
    """What it takes for a two-sided test at the 5% level to find a difference of `size` in 4 of 5 attempts.

    The standard error has to be size / (z₀.₉₇₅ + z₀.₈). With n samples a problem and model, the mean difference has
    variance (σ_B² + σ₁² / n) / M.

    Args:
        size: the true difference to be found, as a share.
        difference: from `spread` of both models.

    Raises:
        UsageError: `size` is not positive, or there is one sample a problem only.

    >>> detection(0.1, Spread(problems=30, total=0.05, within=0.04, one_sample=0.16))
    Detection(size=0.1, samples_fixed=5, samples_other=6, problems=40)
    """
    from scipy.stats import norm

    if not 0 < size <= 1:
        raise UsageError(f"the difference to detect is {100 * size:g} points, expected more than 0 and at most 100")
    if difference is None:
        raise UsageError("one sample a problem does not tell the noise of sampling; evaluate with --samples 2 or more")
    allowed = (size / (norm.ppf(0.975) + norm.ppf(0.8))) ** 2 * difference.problems
    between = max(0.0, difference.total - difference.within)
    return Detection(
        size,
        ceil(difference.one_sample / allowed) or 1,
        (ceil(difference.one_sample / (allowed - between)) or 1) if allowed > between else None,
        ceil((between + difference.within) / allowed * difference.problems) or 1,
    )


def sign_flip_p(differences: Any) -> float:
    """Two-sided p of the paired permutation test: were the two models alike, each difference could have either sign.

    All sign patterns up to 13 problems that differ, 9,999 random ones beyond.

    Args:
        differences: (M,) of the two models, each weighted as in the mean in question; of problems that are not
            independent their `cluster_sums`.

    >>> sign_flip_p([0.5, 0.25, 0.25, 0.0])
    0.25

    Source: Fisher's randomization test; Dror et al., 2018, "The Hitchhiker's Guide to Testing Statistical Significance
    in NLP", section 3.2.
    """
    from scipy.stats import permutation_test

    moved = np.array([one for one in differences if one], dtype=np.float64)
    if len(moved) < 2:
        return 1.0
    rng = np.random.default_rng(0)
    return float(permutation_test((moved,), np.sum, permutation_type="samples", batch=500, rng=rng).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values such that calling all below α significant errs once or more with chance α at most.

    Sorted upwards, p_(i) becomes max_{j ≤ i} min(1, (m − j + 1) · p_(j)).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Source: Holm, 1979.
    """
    order, count = np.argsort(p_values), len(p_values)
    adjusted = np.empty(count)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, np.take(p_values, order) * (count - np.arange(count))))
    return adjusted.tolist()
