"""How many samples a problem, or how many problems, it takes to see a difference of a given size."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import NormalDist

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.two_levels import Spread


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


def detection(size: float, difference: Spread, level: float = 0.05, power: float = 0.8) -> Detection:
    """What it takes for a two-sided test of `level` to find a difference of `size` with chance `power`.

    The standard error has to be size / (z_{1 − level/2} + z_{power}). With n samples a problem and model, the mean
    difference has variance (σ_B² + σ_1² / n) / M, where σ_1² is σ_W² at one sample each.

    Args:
        size: the true difference to be found, as a share.
        difference: of the per-problem differences, from `two_levels.spread`.
        level, power: of the test.

    Raises:
        UsageError: `size` is not positive, or there is one sample a problem only, which does not tell σ_W².

    >>> detection(0.1, Spread(total=0.05, within=0.04, one_sample=0.16, problems=30))
    Detection(size=0.1, samples_fixed=5, samples_other=6, problems=40)
    """
    if not 0 < size <= 1:
        raise UsageError(f"the difference to detect is {100 * size:g} points, expected more than 0 and at most 100")
    if difference.within is None or difference.one_sample is None:
        raise UsageError("one sample a problem does not tell the noise of sampling; evaluate with --samples 2 or more")
    normal = NormalDist()
    allowed = (size / (normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power))) ** 2 * difference.problems
    left = allowed - difference.between
    return Detection(
        size,
        max(1, ceil(difference.one_sample / allowed)),
        max(1, ceil(difference.one_sample / left)) if left > 0 else None,
        max(1, ceil((difference.between + difference.within) / allowed * difference.problems)),
    )
