"""Uniqueness-aware RL: advantages divided by how many share the strategy (arXiv 2601.08763)."""

from __future__ import annotations

from typing import Literal

import torch

from dra_grpo.core import Adjusted, Rollouts, grpo_advantages
from dra_grpo.errors import UsageError
from dra_grpo.methods.clusters import Clusters, cluster_size


def uniqueness(
    rollouts: Rollouts,
    *,
    alpha: float = 1.0,
    rows: Literal["all", "correct"] = "all",
    clusters: Clusters = "similarity",
    threshold: float = 0.5,
    linkage: Literal["single", "complete"] = "single",
    scale: Literal["group", "batch", "none"] = "group",
    eps: float = 1e-4,
) -> Adjusted:
    """A_i ← A_i / |cluster of i|^α, A GRPO's advantage.

    Args:
        rollouts: with what `clusters` reads.
        alpha: α in [0, 1]; 0 is GRPO.
        rows: "all" divides negative advantages too, as the source does, so that a rare mistake is punished hardest;
            "correct" divides those of correct completions alone.
        clusters, threshold, linkage: see `cluster_labels`; the source asks a language model which completions share a
            strategy, which is `clusters=same`.
        scale, eps: see `grpo_advantages`.

    Returns:
        `Adjusted` at the advantage stage; the mean advantage of a group is no longer 0.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), texts=list("aabc"))
        >>> uniqueness(rollouts, clusters="text", scale="none").advantages
        tensor([ 0.1250,  0.1250,  0.2500, -0.7500])

    Source: arXiv 2601.08763, eq. 5.
    """
    if rows not in ("all", "correct"):
        raise UsageError(f"unknown rows {rows!r}; expected 'all' or 'correct'")
    advantages = grpo_advantages(rollouts.rewards, rollouts.index.group, scale, eps)
    weights = cluster_size(rollouts, clusters, threshold, linkage).to(advantages.dtype).clamp(min=1).pow(-alpha)
    if rows == "correct":
        weights = torch.where(rollouts.is_correct, weights, 1.0)
    return Adjusted.from_advantages(rollouts, advantages * weights, weights)
