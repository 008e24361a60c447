"""Is a difference more than chance: a paired permutation test, and Holm's correction over several benchmarks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.intervals import CHUNK

EXACT_UP_TO = 14


def sign_flip_p(differences: Tensor, flips: int = 20_000, seed: int = 0) -> float:
    """Two-sided p of the paired permutation test: were the two models alike, each difference could have either sign.

    p is the share of sign patterns whose |Σ ± d_i| is at least |Σ d_i|: of all 2^m of them where at most 14 problems
    differ, else of `flips` random ones and the observed one.

    Args:
        differences: (M,) per-problem differences of the two models, each weighted as in the mean in question.
        flips: random sign patterns.
        seed: draws them.

    >>> sign_flip_p(torch.tensor([0.5, 0.25, 0.25, 0.0]))
    0.25

    Source: Fisher's randomization test; Dror et al., 2018, "The Hitchhiker's Guide to Testing Statistical Significance
    in NLP", section 3.2.
    """
    moved = differences[differences != 0].double()
    if not len(moved):
        return 1.0
    observed = moved.sum().abs()
    slack = 1e-9 * moved.abs().sum()
    if len(moved) <= EXACT_UP_TO:
        patterns = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * len(moved))
        sums = patterns.reshape(-1, len(moved)) @ moved
        return (sums.abs() >= observed - slack).double().mean().item()
    generator = torch.Generator().manual_seed(seed)
    rows = max(1, CHUNK // len(moved))
    extreme = 1
    for start in range(0, flips, rows):
        shape = (min(rows, flips - start), len(moved))
        signs = torch.randint(2, shape, generator=generator, dtype=torch.int8).double() * 2 - 1
        extreme += int(((signs @ moved).abs() >= observed - slack).sum())
    return extreme / (flips + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values such that calling all below α significant errs once or more with chance α at most.

    Sorted upwards, p_(i) becomes max_{j ≤ i} min(1, (m − j + 1) · p_(j)).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]

    Source: Holm, 1979.
    """
    if not all(0 <= p <= 1 for p in p_values):
        raise UsageError(f"p-values lie in [0, 1], got {list(p_values)}")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
