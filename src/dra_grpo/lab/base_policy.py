"""The figures recorded beside a Countdown policy: exact, on unseen problems of both held-out splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dra_grpo.evaluation.exact import exact_figures, exact_probabilities
from dra_grpo.evaluation.intervals import figure_intervals
from dra_grpo.tasks.countdown.splits import problems

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def policy_figures(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, count: int = 500, size: int = 3, samples: int = 16
) -> dict[str, dict[str, Any]]:
    """Exact figures with intervals on `count` validation and `count` test problems, at both identity levels.

    Args:
        model: a causal language model.
        tokenizer: its character tokenizer.
        count: problems of each split.
        size: numbers in a problem, 3 or 4.
        samples: k of pass@k, distinct and coverage.

    Returns:
        `{"validation": figures, "test": figures}`, where figures are those of `figure_intervals` for the commutative
        level, with `distinct_associative` and `coverage_associative` added.
    """
    record: dict[str, dict[str, Any]] = {}
    for split in ("validation", "test"):
        accepted = exact_probabilities(model, tokenizer, problems(split, count, size))
        figures = exact_figures(accepted, samples)
        associative = exact_figures(accepted, samples, level="associative")
        for name in ("distinct", "coverage"):
            figures[f"{name}_associative"] = associative[name]
        record[split] = figure_intervals(figures)
    return record
