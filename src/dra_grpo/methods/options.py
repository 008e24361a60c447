"""The options of a method: its function's keyword-only parameters, and what their types allow."""

import inspect
import math
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from dra_grpo.errors import UsageError


@cache
def parameters(*functions: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Keyword-only parameters of all `functions` by name; of two with one name, the last."""
    found = [p for function in functions for p in inspect.signature(function).parameters.values()]
    return {p.name: p for p in found if p.kind is p.KEYWORD_ONLY}


def check_option(parameter: inspect.Parameter, value: Any, owner: str) -> None:
    """Raise UsageError unless `value` is of the parameter's annotated type; a whole number must be 0 or more.

    Without an annotation, or with one that `from __future__ import annotations` made a string, anything goes.

    Example:
        >>> def sized(*, size: Literal["s", "m"] | None = None): ...
        >>> check_option(parameters(sized)["size"], "l", "dress")
        Traceback (most recent call last):
        dra_grpo.errors.UsageError: dress: size is 'l'; expected 's' or 'm' or None
    """
    kind = parameter.annotation
    if kind is parameter.empty or isinstance(kind, str):
        return
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if not any(_fits(value, kind) for kind in kinds):
        expected = " or ".join(map(_called, kinds))
        raise UsageError(f"{owner}: {parameter.name} is {value!r}; expected {expected}")


def _fits(value: Any, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind in (int, float):
        number = isinstance(value, int | kind) and not isinstance(value, bool)
        return number and math.isfinite(value) and (kind is float or value >= 0)
    return kind is Any or isinstance(value, get_origin(kind) or kind)


def _called(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    names = {bool: "true or false", int: "a whole number ≥ 0", float: "a finite number", str: "text", NoneType: "None"}
    return names.get(kind, "a function")
