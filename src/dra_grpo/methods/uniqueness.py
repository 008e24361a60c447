"""Uniqueness-aware RL: advantages divided by how many share the strategy (arXiv 2601.08763)."""

from typing import Any, Literal

import torch

from dra_grpo.core import Adjusted, Rollouts, grpo_advantages
from dra_grpo.core.advantages import Scale
from dra_grpo.methods.clusters import cluster_size


def uniqueness(
    rollouts: Rollouts,
    *,
    alpha: float = 1.0,
    rows: Literal["all", "correct"] = "all",
    scale: Scale = "group",
    eps: float = 1e-4,
    **clusters: Any,
) -> Adjusted:
    """A_i ← A_i / |cluster of i|^α, A GRPO's advantage.

    Args:
        rollouts: with what `clusters` reads.
        alpha: α in [0, 1]; 0 is GRPO.
        rows: "all" divides negative advantages too, as the source does, so that a rare mistake is punished hardest;
            "correct" divides those of correct completions alone.
        scale, eps: see `grpo_advantages`.
        **clusters: `cluster_size`'s `clusters`, `threshold` and `linkage`; the source asks a language model which
            completions share a strategy, which is `clusters=same`.

    Returns:
        `Adjusted` at the advantage stage; the mean advantage of a group is no longer 0.

    Example:
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), texts=list("aabc"))
        >>> uniqueness(rollouts, clusters="text", scale="none").advantages
        tensor([ 0.1250,  0.1250,  0.2500, -0.7500])

    Source: arXiv 2601.08763, eq. 5.
    """
    advantages = grpo_advantages(rollouts.rewards, rollouts.index.group, scale, eps)
    weights = cluster_size(rollouts, **clusters).pow(-alpha)
    if rows == "correct":
        weights = torch.where(rollouts.is_correct, weights, 1.0)
    return Adjusted.from_advantages(rollouts, advantages * weights, weights)
