"""One number for a policy, whatever k: the first sample greedy, the others at T*.

pass@k = mean over problems of 1 − (1 − g)(1 − p_T*)^(k − 1), g whether greedy decoding is right. Read at one
temperature, a policy that became sharper looks like one that learned; under this rule it does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dra_grpo.evaluation.exact import (
    Accepted,
    chances,
    correct_at,
    differences,
    drawn,
    exact_probabilities,
    exact_results,
    number_sets,
    with_intervals,
)
from dra_grpo.tasks.countdown import Problem, problems, solution_key

KS = (1, 2, 4, 8, 16)
"""The k over which a policy's one number is the mean of pass@k."""

GRID = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
"""Temperatures at which a policy is read; T* is one of them above 0."""

CHOOSING, FEWEST = 500, 100
"""Problems that T* is chosen on: as many as are measured, at most so many; where fewer are left, train problems."""


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
    each = (chances(accepted.solutions(temperature=t)) for t in (0.0, temperature))
    return one_rule(*each)[f"pass@{KS[-1]}"].sum()


@dataclass(frozen=True, eq=False)
class Reading:
    """A policy on Countdown: read at every temperature of `GRID`, with a T* chosen on problems that are not read.

    Attributes:
        accepted: N problems with their probabilities at `GRID`.
        temperature: T*.
        chosen_on: which problems it was chosen on, such as `500 validation problems`.
    """

    accepted: list[Accepted]
    temperature: float
    chosen_on: str


def read_countdown(model: Any, tokenizer: Any, split: Any, count: int, size: int = 3) -> Reading:
    """Read a policy on the first `count` problems of a split.

    Args:
        model, tokenizer: as in `exact_probabilities`.
        split: `validation` or `test`.
        count: how many of its problems.
        size: numbers in a problem.

    Raises:
        UsageError: what `exact_probabilities` refuses, or more problems than there are.
    """
    measured = problems(split, count, size=size)
    chosen_on, others = problems_to_choose_on(split, count, size)
    accepted, choosing = (exact_probabilities(model, tokenizer, one, temperatures=GRID) for one in (measured, others))
    return Reading(accepted, choose_temperature(choosing), chosen_on)


def problems_to_choose_on(split: str, count: int, size: int = 3) -> tuple[str, list[Problem]]:
    """Problems to choose T* on where the first `count` of `split` are measured, and which they are.

    Validation problems from the first on, or behind the measured ones: as many as are measured, at most `CHOOSING`.
    Where the measured ones leave fewer of validation than that and than `FEWEST`, they are train problems.

    >>> [problems_to_choose_on(split, 1300)[0] for split in ("test", "validation")]
    ['500 validation problems', '500 train problems']
    """
    wanted, start = min(count, CHOOSING), count if split == "validation" else 0
    every = problems("validation", None if size == 3 else start + wanted, size=size)
    source, found = "validation", every[start : start + wanted]
    if len(found) < min(wanted, FEWEST):
        source, found = "train", problems("train", wanted, size=size)
    return f"{len(found)} {source} problems", found


def compared(base: Reading, trained: Reading) -> dict[str, Any]:
    """Two policies on the same problems as `eval.json` holds them: at temperature 1, by the rule, at each temperature.

    Args:
        base, trained: of the same problems in the same order.

    Returns:
        `base`, `trained` and `difference`: `exact_results` at temperature 1; `one_rule`: the same three of `read` at
        each one's own T*, with `temperature` (by policy) and `chosen_on`; `temperatures`: policy -> temperature, as
        text -> `exact_results`. Every figure has value, low, high and stderr, over sets of numbers.
    """
    readings = {"base": base, "trained": trained}
    clusters = number_sets([one.problem for one in base.accepted])
    usual = {name: over_temperatures(one.accepted) for name, one in readings.items()}
    rule = {name: read(one.accepted, one.temperature) for name, one in readings.items()}

    def sides(both: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Any]:
        own = {name: with_intervals(figures, clusters) for name, figures in both.items()}
        return {**own, "difference": differences(both["trained"], both["base"], clusters)}

    return {
        **sides({name: at[1.0] for name, at in usual.items()}),
        "one_rule": {
            "chosen_on": base.chosen_on,
            "temperature": {name: one.temperature for name, one in readings.items()},
            **sides(rule),
        },
        "temperatures": {
            name: {f"{t:g}": with_intervals(figures, clusters) for t, figures in at.items()}
            for name, at in usual.items()
        },
    }


def verdict(evaluation: Mapping[str, Any]) -> str:
    """What training gave beyond sampling the untrained policy at its best temperature, in a line of 100 columns.

    Args:
        evaluation: from `compared`.

    >>> rule = {"temperature": {"base": 0.6}, "difference": {"mean": {"value": 0.02, "low": -0.01, "high": 0.05}}}
    >>> verdict({"one_rule": rule})
    'trained against untrained at its best temperature, 0.6: mean +0.020 [-0.010, +0.050], undecided'
    """
    mean, temperature = evaluation["one_rule"]["difference"]["mean"], evaluation["one_rule"]["temperature"]["base"]
    said = "better" if mean["low"] > 0 else "worse" if mean["high"] < 0 else "undecided"
    gain = f"mean {mean['value']:+.3f} [{mean['low']:+.3f}, {mean['high']:+.3f}]"
    return f"trained against untrained at its best temperature, {temperature:g}: {gain}, {said}"
