"""Flat rows with group ids, in any order and ragged, to padded (B, G) and back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

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
    def from_ids(cls, groups: Any) -> Self:
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

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(B, G), G being the size of the largest group."""
        return len(self.size), int(self.size.max()) if len(self.size) else 0

    @cached_property
    def place(self) -> Tensor:
        """int64 (N,), where the row would stand if rows were sorted by group, in row order within each."""
        return (torch.cumsum(self.size, 0) - self.size)[self.group] + self.position

    def pad(self, rows: Tensor, fill: float = 0.0) -> Tensor:
        """(N, ...) -> (B, G, ...), the places without a row set to `fill`; G is at least 1."""
        B, G = self.shape
        if len(rows) == B * G and torch.equal(self.place, torch.arange(B * G, device=rows.device)):
            return rows.reshape(B, max(G, 1), *rows.shape[1:])
        padded = rows.new_full((B, G, *rows.shape[1:]), fill)
        return padded.index_put((self.group, self.position), rows)

    def unpad(self, padded: Tensor) -> Tensor:
        """(B, G, ...) -> (N, ...), the inverse of `pad`."""
        return padded[self.group, self.position]

    def map(self, function: Callable[..., Tensor], *columns: Tensor) -> Tensor:
        """`function` of padded groups, those of like size together: its cost is at most twice that of one by one.

        In one call the smallest group has at least four fifths of the largest's rows, so that a cube of the size is at
        most doubled by padding.

        Args:
            function: (b, g, ...) tensors, one a column, to a tensor (b, g, ...). Places without a row hold 0 or False,
                and what it gives there is left out.
            *columns: (N, ...) each.

        Returns:
            (N, ...).

        Example:
            >>> index = GroupIndex.from_ids(torch.tensor([7, 2, 7, 7]))
            >>> index.map(lambda rows: rows.cumsum(1), torch.tensor([1., 2., 3., 4.]))
            tensor([1., 2., 4., 8.])
        """
        sizes = sorted(set(self.size.tolist()), reverse=True)
        if not sizes or 5 * sizes[-1] >= 4 * sizes[0]:
            return self.unpad(function(*map(self.pad, columns)))
        parts, places = [], []
        while sizes:
            alike = [size for size in sizes if 5 * size >= 4 * sizes[0]]
            taken = (self.size <= alike[0]) & (self.size >= alike[-1])
            rows = taken[self.group].nonzero().flatten()
            number = torch.cumsum(taken, 0) - 1
            index = GroupIndex(number[self.group[rows]], self.position[rows], self.size[taken])
            parts.append(index.unpad(function(*(index.pad(column[rows]) for column in columns))))
            places.append(rows)
            sizes = sizes[len(alike) :]
        found = torch.cat(parts)
        return torch.empty_like(found).index_copy(0, torch.cat(places), found)

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
    ids = None if groups is None else group_ids(groups).to(rewards.device)
    if ids is None and rewards.dim() in (1, 2):
        number = torch.arange(rewards.shape[:-1].numel(), device=rewards.device)
        ids = number.repeat_interleave(rewards.shape[-1])
    elif ids is None or rewards.dim() != 1 or ids.shape != rewards.shape:
        found = "no groups" if ids is None else f"groups of shape {tuple(ids.shape)}"
        expected = "rewards must be (B, G) without groups, or (N,) with groups (N,)"
        raise UsageError(f"{expected}; got rewards of shape {tuple(rewards.shape)} and {found}")
    return rewards.reshape(-1), GroupIndex.from_ids(ids), tuple(rewards.shape)
