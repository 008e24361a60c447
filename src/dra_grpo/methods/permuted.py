"""Controls: DRA's own weights, given to the wrong completions."""

from __future__ import annotations

from typing import Any, Literal

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.errors import UsageError
from dra_grpo.methods.dra import dra
from dra_grpo.methods.draws import generator, shuffled


def permuted(
    rollouts: Rollouts,
    *,
    among: Literal["scored", "correct"] = "scored",
    seed: int = 0,
    step: int = 0,
    **options: Any,
) -> Adjusted:
    """R̃_i = R_i / (1 + SMI_π(i)), π a random permutation within the group: if this helps, diversity is not why.

    Args:
        rollouts: as for `dra`.
        among: whose weights are shuffled. "scored" (`permuted`) keeps the group's mean weight, and its mean reward in
            expectation only; "correct" (`permuted-correct`) keeps the mean weight of the correct completions exactly,
            so that with equal rewards the mean reward does not move, and leaves the wrong ones what DRA gives them.
        seed, step: the permutation is a function of these and the row's place in its group; pass the training step.
        **options: `dra`'s; gate, normalisation and rules for negative and wrong rewards follow the shuffle.

    Returns:
        `Adjusted` at the reward stage; `smi` is the shuffled one.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings)
        >>> sorted(permuted(rollouts, step=5).weights.tolist())
        [0.5, 0.5, 1.0]

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control.
    """
    if among not in ("scored", "correct"):
        raise UsageError(f"unknown among {among!r}; expected 'scored' or 'correct'")
    rows = rollouts.scored if among == "scored" else rollouts.is_correct
    value = dra(rollouts, **options).smi.nan_to_num(0.0)
    return dra(rollouts, shuffled(value, rollouts.index, rows, generator(seed, step)), **options)
