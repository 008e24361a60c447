"""A Countdown policy's exact figures on held-out problems, and the difference that training made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from dra_grpo.evaluation.exact import exact_figures, exact_probabilities
from dra_grpo.tasks.countdown import problems

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def evaluate_countdown(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, split: str, count: int, **options: Any
) -> dict[str, Tensor]:
    """Per-problem pass@1, pass@16, distinct and coverage, each (N,), on the first `count` problems of `split`."""
    chosen = problems(split, count, size=options.get("size", 3))  # type: ignore[arg-type]
    return exact_figures(exact_probabilities(model, tokenizer, chosen))
