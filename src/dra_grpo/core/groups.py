"""Flat rows with group ids, in any order and ragged, to padded (B, G) and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dra_grpo.core.columns import column, group_ids
from dra_grpo.errors import UsageError


@dataclass(frozen=True)
class GroupIndex:
    """Where each of N rows stands in B groups of at most G rows.

    Attributes:
        group: int64 (N,), the row's group, 0 … B-1, numbered by increasing group id.
        position: int64 (N,), the row's place in its group, in row order.
        size: int64 (B,), rows of each group.

    Example:
        >>> index = GroupIndex.from_ids(torch.tensor([7, 2, 7, 7]))
        >>> index.pad(torch.tensor([1., 2., 3., 4.]))
        tensor([[2., 0., 0.],
                [1., 3., 4.]])
        >>> index.sum(torch.tensor([1., 2., 3., 4.]))
        tensor([2., 8.])
    """

    group: Tensor
    position: Tensor
    size: Tensor

    @classmethod
    def from_ids(cls, groups: Any) -> GroupIndex:
        """Index N group ids, in any order: integers, or strings and other hashable ids.

        Raises:
            ValueError: `groups` is not one id a row.
        """
        groups = group_ids(groups)
        if groups.dim() != 1:
            raise UsageError(f"groups must be one id a row, shape (N,); got shape {tuple(groups.shape)}")
        _, group, size = torch.unique(groups, return_inverse=True, return_counts=True)
        order = torch.argsort(group, stable=True)
        start = torch.cumsum(size, 0) - size
        position = torch.empty_like(group)
        position[order] = torch.arange(len(group), device=group.device) - start[group[order]]
        return cls(group, position, size)

    @property
    def shape(self) -> tuple[int, int]:
        """(B, G), G being the size of the largest group."""
        return len(self.size), int(self.size.max()) if len(self.size) else 0

    @property
    def mask(self) -> Tensor:
        """bool (B, G), True where a padded place holds a row."""
        return torch.arange(self.shape[1], device=self.size.device) < self.size[:, None]

    def pad(self, rows: Tensor, fill: float = 0.0) -> Tensor:
        """(N, ...) -> (B, G, ...), the places without a row set to `fill`."""
        padded = rows.new_full((*self.shape, *rows.shape[1:]), fill)
        return padded.index_put((self.group, self.position), rows)

    def unpad(self, padded: Tensor) -> Tensor:
        """(B, G, ...) -> (N, ...), the inverse of `pad`."""
        return padded[self.group, self.position]

    def sum(self, rows: Tensor) -> Tensor:
        """(N, ...) -> (B, ...), each group's sum, without padding."""
        total = rows.new_zeros((len(self.size), *rows.shape[1:]))
        return total.index_add(0, self.group, rows)

    def mean(self, rows: Tensor, where: Tensor) -> Tensor:
        """(N,) -> (B,), each group's mean over the rows of the bool mask `where` (N,); NaN where it has none."""
        return self.sum(torch.where(where, rows, 0.0)) / self.sum(where.to(rows.dtype))


def group_max(index: GroupIndex, rows: Tensor, where: Tensor) -> Tensor:
    """(N,) -> (B,), each group's largest value over the rows of the bool mask `where` (N,); -inf where it has none.

    >>> index = GroupIndex.from_ids(torch.tensor([7, 2, 7, 7]))
    >>> group_max(index, torch.tensor([1., 2., 3., 4.]), torch.tensor([True, False, True, False]))
    tensor([-inf, 3.])
    """
    lowest = rows.new_full((len(index.size),), -torch.inf)
    return lowest.scatter_reduce(0, index.group, rows.masked_fill(~where, -torch.inf), "amax")


def flatten_groups(rewards: Any, groups: Any = None) -> tuple[Tensor, GroupIndex, tuple[int, ...]]:
    """Rewards as N flat rows with their group index, and the shape they came in.

    Args:
        rewards: (B, G) row by row, or (N,) as one group or by `groups`; a tensor, an array, a list or a column.
        groups: None, or (N,) ids.

    Raises:
        ValueError: shapes that do not fit.
    """
    rewards = column(rewards, "rewards")
    groups = None if groups is None else group_ids(groups)
    if rewards.dim() == 2 and groups is None:
        ids = torch.arange(rewards.shape[0], device=rewards.device).repeat_interleave(rewards.shape[1])
    elif rewards.dim() == 1 and groups is None:
        ids = torch.zeros(len(rewards), dtype=torch.long, device=rewards.device)
    elif rewards.dim() == 1 and groups is not None and groups.shape == rewards.shape:
        ids = groups.to(rewards.device)
    else:
        found = "no groups" if groups is None else f"groups of shape {tuple(groups.shape)}"
        raise UsageError(
            f"rewards must be (B, G) without groups, or (N,) with groups (N,); "
            f"got rewards of shape {tuple(rewards.shape)} and {found}"
        )
    return rewards.reshape(-1), GroupIndex.from_ids(ids), tuple(rewards.shape)
