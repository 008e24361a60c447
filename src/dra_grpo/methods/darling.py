"""DARLING: quality times the share of the group that says something else (arXiv 2509.02534)."""

from typing import Any

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.methods.clusters import cluster_size


def darling(rollouts: Rollouts, *, floor: float = 0.1, **clusters: Any) -> Adjusted:
    """R̃_i = R_i · max((n − |cluster of i|) / (n − 1), floor), n the group's scored completions.

    Args:
        rollouts: with what `clusters` reads.
        floor: least weight, so that a group of one cluster still learns.
        **clusters: `cluster_size`'s `clusters`, `threshold` and `linkage`. The source asks a learned classifier
            (`clusters=same`) and joins its answers by union-find, "single"; "complete" does not chain. Most sentence
            encoders put all answers to one prompt above a cosine of 0.5: set `threshold` for yours.

    Returns:
        `Adjusted` at the reward stage. The source takes Dr.GRPO's advantages of it (no division by σ).

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> import torch
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> darling(Rollouts(rewards, groups, texts=["a", "a", "a", "b"]), clusters="text").rewards
        tensor([0.3333, 0.3333, 0.0000, 1.0000])

    Source: arXiv 2509.02534; facebookresearch/darling, `partition`. As there, rewards below 0 are scaled too.
    """
    size = cluster_size(rollouts, **clusters)
    n = rollouts.index.sum(rollouts.scored.to(size.dtype))[rollouts.index.group]
    weights = ((n - size) / (n - 1).clamp(min=1)).clamp(min=floor).masked_fill(n == 1, 1.0)
    return Adjusted.from_weights(rollouts, weights)
