"""The figures of one benchmark, each with its interval, from graded samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dra_grpo.core.combinatorics import miss_probability
from dra_grpo.evaluation.intervals import Interval, bootstrap_mean
from dra_grpo.evaluation.majority import majority
from dra_grpo.evaluation.scoring import Scored
from dra_grpo.evaluation.two_levels import Arm, accuracy_interval, share_interval, spread


def pass_at_k(correct: Tensor, samples: Tensor, k: int) -> Tensor:
    """1 − C(n − c, k) / C(n, k) of each problem: the unbiased estimate of the chance that one of k samples is right.

    Args:
        correct: (M,) integers c.
        samples: (M,) integers n, each at least k.
        k: how many.

    Returns:
        (M,) float64.

    >>> pass_at_k(torch.tensor([0, 2, 8]), torch.tensor([8, 8, 8]), k=4)
    tensor([0.0000, 0.7857, 1.0000], dtype=torch.float64)

    Source: Chen et al., 2021, arXiv 2107.03374, eq. 1.
    """
    return 1 - miss_probability(samples, correct, k)


def curve_points(samples: int) -> list[int]:
    """The k of a pass@k curve: powers of two up to n, and n.

    >>> curve_points(12)
    [1, 2, 4, 8, 12]
    """
    powers = [2**power for power in range(samples.bit_length())]
    return powers if powers[-1] == samples else [*powers, samples]


def figures(scored: Sequence[Scored]) -> dict[str, dict[str, Any]]:
    """Every figure of a benchmark: name -> value, low, high (95%), and for avg@n the two standard errors.

    Problems whose gold allows no comparison count in none of them.

    Args:
        scored: the problems, all with the same number n of samples; one at least that can be scored.
    """
    able = [one for one in scored if one.correct is not None]
    samples = len(able[0].samples)
    correct, counts = arm(able)
    points = curve_points(samples)
    shares: dict[str, Tensor] = {}
    for k in points[1:]:
        shares[f"pass@{k}"] = pass_at_k(correct, counts, k)
    if able[0].solutions is None:
        for k in points[1:]:
            shares[f"maj@{k}"] = torch.tensor([vote(one, k) for one in able], dtype=torch.float64)
        shares["coverage"] = pass_at_k(correct, counts, samples)
    else:
        shares["coverage"] = torch.tensor([len(one.votes) / (one.solutions or 1) for one in able]).double()
    shares["truncated"] = torch.tensor([_mean([s.truncated for s in one.samples]) for one in able]).double()
    distinct = torch.tensor([float(len(one.votes)) for one in able])
    tokens = torch.tensor([_mean([s.tokens for s in one.samples]) for one in able])
    parts = spread([Arm(correct, counts)])
    name = "distinct" if able[0].solutions is not None else "distinct_answers"
    return {
        f"avg@{samples}": {
            **_entry(accuracy_interval([Arm(correct, counts)])),
            "stderr": parts.stderr,
            "stderr_samples": parts.stderr_samples,
        },
        **{key: _entry(share_interval(value)) for key, value in shares.items()},
        name: _entry(bootstrap_mean(distinct)),
        "tokens": _entry(bootstrap_mean(tokens)),
    }


def arm(scored: Sequence[Scored]) -> tuple[Tensor, Tensor]:
    """Right answers and samples of each problem that can be scored, both (M,) int64."""
    able = [one.correct for one in scored if one.correct is not None]
    return torch.tensor([sum(one) for one in able]), torch.tensor([len(one) for one in able])


def vote(scored: Scored, k: int) -> float:
    """maj@k of one problem; an answer's worth is the share of right verdicts among the samples that gave it."""
    votes = scored.votes
    rights: Counter[str] = Counter()
    for answer, right in zip(scored.answers, scored.correct or [], strict=True):
        if answer is not None and right:
            rights[answer] += 1
    worth = [rights[answer] / size for answer, size in votes.items()]
    return majority(list(votes.values()), worth, len(scored.samples) - votes.total(), k)


def _entry(interval: Interval) -> dict[str, Any]:
    return dict(interval._asdict())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
