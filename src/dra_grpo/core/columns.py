"""What people hand in (tensors, arrays, lists, data-frame columns), as tensors."""

import math
from typing import Any

import torch
from torch import Tensor

from dra_grpo.errors import UsageError


def column(values: Any, name: str) -> Tensor:
    """Numbers as a tensor: a tensor as it is; an array, a (nested) list or a data-frame column copied, None as NaN.

    Args:
        values: any shape.
        name: what the values are called in messages.

    Raises:
        UsageError: what is no rectangle of numbers.

    Example:
        >>> column([1, None, 0.5], "rewards")
        tensor([1.0000,    nan, 0.5000])
    """
    try:
        return _tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        found = f"{type(values).__name__} ({str(error).partition(chr(10))[0]})"
        raise UsageError(f"{name} must be numbers in a tensor, an array, a list or a column; got {found}") from error


def floating(values: Tensor) -> Tensor:
    """`values`, as float32 where they are integers or bools."""
    return values if values.is_floating_point() else values.float()


def group_ids(groups: Any) -> Tensor:
    """Group ids as integers: integers as they are, strings and other hashable ids numbered in sorted order.

    Raises:
        UsageError: an id that is missing, not hashable, or a floating-point number.

    Example:
        >>> group_ids(["b", "a", "b"])
        tensor([1, 0, 1])
    """
    try:
        ids = _tensor(groups)
    except (TypeError, ValueError, RuntimeError):
        ids = _numbered(groups)
    if ids.is_floating_point() and ids.numel():
        raise UsageError(f"groups must be one integer or string a row; got {ids.dtype} of shape {tuple(ids.shape)}")
    return ids if ids.numel() else ids.long()


def entries(values: Any, name: str, shape: tuple[int, ...]) -> list[Any]:
    """N texts or answers as a list, flat or B lists of G as the rewards' `shape` has it.

    Raises:
        UsageError: there are more or fewer.
    """
    rows = list(values)
    if len(shape) == 2 and [len(row) for row in rows if isinstance(row, list | tuple)] == [shape[1]] * shape[0]:
        rows = [value for row in rows for value in row]
    if len(rows) != math.prod(shape):
        raise UsageError(f"{name} must hold one entry a reward, {math.prod(shape)}; got {len(rows)}")
    return rows


def _numbered(ids: Any) -> Tensor:
    try:
        known = {value: number for number, value in enumerate(sorted(set(ids), key=repr))}
    except TypeError as error:
        raise UsageError(f"groups must be one integer or string a row; got {type(ids).__name__}: {error}") from error
    missing = [value for value in known if value is None or value != value]
    if missing:
        raise UsageError(f"groups must be one integer or string a row; got {missing[0]}")
    return torch.tensor([known[value] for value in ids], device="cpu")


def _tensor(values: Any) -> Tensor:
    if isinstance(values, Tensor):
        return values
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    # A copy, as torch takes neither negative strides nor memory that must not be written to.
    if getattr(getattr(values, "dtype", None), "kind", "O") != "O":
        return torch.tensor(values.copy(), device="cpu")
    values = list(values)
    if values and (isinstance(values[0], list | tuple) or getattr(values[0], "ndim", 0)):
        return torch.stack([_tensor(row) for row in values])
    return torch.tensor([math.nan if value is None else value for value in values], device="cpu")
