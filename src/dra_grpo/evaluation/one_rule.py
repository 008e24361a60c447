"""One number for a policy, whatever k: the first sample greedy, the others at T*.

pass@k = mean over problems of 1 − (1 − g)(1 − p_T*)^(k − 1), g whether greedy decoding is right. Read at one
temperature, a policy that became sharper looks like one that learned; under this rule it does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dra_grpo.evaluation.exact import Accepted, correct_at, drawn, exact_results
from dra_grpo.tasks.countdown import solution_key

KS = (1, 2, 4, 8, 16)
"""The k over which a policy's one number is the mean of pass@k."""

GRID = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
"""Temperatures at which a policy is read; T* is one of them above 0."""


def one_rule(greedy: Tensor, correct: Tensor) -> dict[str, Tensor]:
    """pass@k under the rule and their mean.

    pass@k = 1 − (1 − g)(1 − p)^(k − 1) for each problem.

    Args:
        greedy: g (N,), whether greedy decoding is right: 1 or 0, or its chance.
        correct: p (N,), the chance that a sample at T* is.

    Returns:
        `pass@k` for each k of `KS` and `mean`, over them, each (N,); `pass@1` is greedy accuracy.

    >>> {name: round(x.item(), 4) for name, x in one_rule(torch.tensor([0.0]), torch.tensor([0.5])).items()}
    {'pass@1': 0.0, 'pass@2': 0.5, 'pass@4': 0.875, 'pass@8': 0.9922, 'pass@16': 1.0, 'mean': 0.6734}
    """
    passed = {f"pass@{k}": greedy + (1 - greedy) * drawn(correct, k - 1) for k in KS}
    return {**passed, "mean": torch.stack(list(passed.values())).mean(0)}


def read(accepted: Sequence[Accepted], temperature: float) -> dict[str, Tensor]:
    """A policy by the rule at one T*: `one_rule`'s figures, and distinct solutions and coverage of sixteen samples.

    Args:
        accepted: N problems with their probabilities at 0 and at `temperature`.
        temperature: T*.

    Returns:
        Name -> (N,) float64.
    """
    figures = one_rule(correct_at(accepted, 0.0), correct_at(accepted, temperature))
    distinct = torch.stack([_distinct(one, temperature) for one in accepted])
    solutions = torch.tensor([len({solution_key(x) for x in one.texts}) for one in accepted], dtype=torch.float64)
    return {**figures, "distinct": distinct, "coverage": distinct / solutions}


def choose_temperature(accepted: Sequence[Accepted]) -> float:
    """T*: where the policy's mean over k is best on these problems, which are not those that it is read on."""
    greedy = correct_at(accepted, 0.0)
    return max(
        (t for t in accepted[0].temperatures if t > 0),
        key=lambda t: one_rule(greedy, correct_at(accepted, t))["mean"].mean().item(),
    )


def over_temperatures(accepted: Sequence[Accepted], samples: int = 16) -> dict[float, dict[str, Tensor]]:
    """The usual reading, every sample at one temperature, at each: T -> `exact_results`."""
    return {t: exact_results(accepted, samples, temperature=t) for t in accepted[0].temperatures}


def _distinct(accepted: Accepted, temperature: float) -> Tensor:
    """Σ_s 1 − (1 − g_s)(1 − p_s)^15."""
    chances = [
        torch.tensor(list(accepted.solutions(temperature=t).values()), dtype=torch.float64) for t in (0.0, temperature)
    ]
    return one_rule(*chances)[f"pass@{KS[-1]}"].sum()
