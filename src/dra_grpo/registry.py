"""A dict of the things one can choose by name, which knows its near misses and other packages' entry points."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from dra_grpo.errors import UsageError, nearest

T = TypeVar("T")


class Registry(dict[str, T], Generic[T]):
    """A readable dict `name -> thing`; a name it lacks is looked for in entry points, then refused with the nearest.

    `registry["dra-signed"]` and `registry["dra_signed"]` are the same entry. `dict` behaviour (iteration, `in`)
    covers the built-in names only; `names()` adds those of installed packages.

    Args:
        kind: what the things are called in messages, such as `"method"`.
        group: the entry-point group other packages register in, such as `"dra_grpo.methods"`.
        entries: the built-in things.
    """

    def __init__(self, kind: str, group: str, entries: dict[str, T]):
        super().__init__(entries)
        self.kind = kind
        self.group = group

    def __missing__(self, name: str) -> T:
        for spelling in (name.replace("_", "-"), name.replace("-", "_")):
            if spelling in self:
                return self[spelling]
        for point in entry_points(group=self.group):
            if point.name.replace("-", "_") == name.replace("-", "_"):
                return point.load()
        raise UnknownName(f"unknown {self.kind} {name!r}; {nearest(name, self.names())}")

    def names(self) -> list[str]:
        """Built-in names in order, then those that installed packages registered in `group`."""
        return [
            *self,
            *sorted(point.name for point in entry_points(group=self.group) if point.name not in self),
        ]


class UnknownName(UsageError, KeyError):
    """A name that no registry entry has; the message carries the nearest one."""

    def __str__(self) -> str:  # KeyError would print the quoted repr
        return str(self.args[0])


def load_path(path: str) -> Any:
    """The object a dotted path `package.module:attribute` or `package.module.attribute` names.

    Raises:
        UsageError: there is no such module or attribute.

    Example:
        >>> load_path("math:tau") == load_path("math.tau")
        True
    """
    module, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, ValueError, AttributeError) as error:
        raise UsageError(f"{path!r} cannot be loaded ({error}); expected 'package.module:attribute'") from error
