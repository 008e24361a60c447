"""Countdown without sampling, and the sampled figures held against it."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.exact import exact_figures, exact_probabilities
from dra_grpo.evaluation.intervals import figure_intervals
from dra_grpo.evaluation.question import Question
from dra_grpo.evaluation.scoring import Scored
from dra_grpo.tasks.countdown import Problem


def exact_countdown(model: Any, tokenizer: Any, questions: Sequence[Question], samples: int) -> dict[str, Any]:
    """Per-problem exact figures at temperature 1, or why there are none.

    Args:
        model, tokenizer: the policy.
        questions: N Countdown problems.
        samples: k of pass@k, distinct and coverage.

    Returns:
        `{"ids": [...], "per_problem": {name: [N floats]}}`, or `{"why_not": reason}`.
    """
    try:
        probabilities = exact_probabilities(model, tokenizer, [Problem.from_prompt(one.problem) for one in questions])
        per_problem = exact_figures(probabilities, samples)
    except UsageError as error:
        return {"why_not": str(error)}
    return {
        "ids": [one.id for one in questions],
        "per_problem": {name: values.tolist() for name, values in per_problem.items()},
    }


def exact_report(exact: dict[str, Any], scored: Sequence[Scored], comparable: bool) -> dict[str, Any]:
    """Exact figures with intervals and, where sampling was at temperature 1 too, how far the samples are off.

    z = (avg@n − mean p) / √(Σ p(1 − p) / n) · M: a standard normal number if both are right.

    Args:
        exact: from `exact_countdown`.
        scored: the same problems' samples.
        comparable: whether the samples were drawn at temperature 1 and top_p 1, from the problems as they stand.
    """
    if "why_not" in exact:
        return {"why_not": exact["why_not"]}
    import torch

    figures = figure_intervals({name: torch.tensor(values).double() for name, values in exact["per_problem"].items()})
    report: dict[str, Any] = {"figures": figures}
    if comparable:
        rates = exact["per_problem"]["pass@1"]
        right = sum(sum(one.correct or []) for one in scored)
        samples = len(scored[0].samples)
        deviation = sqrt(samples * sum(rate * (1 - rate) for rate in rates))
        report["sampled_z"] = (right - samples * sum(rates)) / deviation if deviation else 0.0
    return report
