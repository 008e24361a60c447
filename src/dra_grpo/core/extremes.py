"""Largest values of groups of flat rows, and how far a group's similarities spread."""

from __future__ import annotations

import torch
from torch import Tensor

from dra_grpo.core.adjustment import Rollouts
from dra_grpo.core.groups import GroupIndex
from dra_grpo.core.redundancy import redundancy


def group_max(index: GroupIndex, rows: Tensor, where: Tensor) -> Tensor:
    """(N,) -> (B,), each group's largest value over the rows of the bool mask `where` (N,); -inf where it has none.

    >>> index = GroupIndex.from_ids(torch.tensor([7, 2, 7, 7]))
    >>> group_max(index, torch.tensor([1., 2., 3., 4.]), torch.tensor([True, False, True, False]))
    tensor([-inf, 3.])
    """
    lowest = rows.new_full((len(index.size),), -torch.inf)
    return lowest.scatter_reduce(0, index.group, rows.masked_fill(~where, -torch.inf), "amax")


def similarity_spread(rollouts: Rollouts, kernel: str = "cosine") -> Tensor:
    """max_i s̄_i − min_i s̄_i of each group, s̄_i = Σ_{j≠i} S_ij / (n − 1) the mean similarity of row i to the others.

    In units of similarity whatever the SMI function, and linear in the rows where the kernel is.

    Args:
        rollouts: with embeddings (N, D).
        kernel: see `redundancy`.

    Returns:
        (B,); 0 for groups of fewer than two scored rows.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> similarity_spread(Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings))
        tensor([0.5000])
    """
    index, scored = rollouts.index, rollouts.scored
    total = redundancy(rollouts, smi="graph_cut", kernel=kernel, clamp=False)
    count = index.sum(scored.to(total.dtype))
    mean = total / (count - 1).clamp(min=1)[index.group]
    spread = group_max(index, mean, scored) + group_max(index, -mean, scored)
    return torch.where(count > 1, spread, 0.0)
