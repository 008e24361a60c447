"""A dict of the things one can choose by name, which knows its near misses and other packages' entry points."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from dra_grpo.errors import UsageError, nearest

T = TypeVar("T")


class Registry(dict[str, T], Generic[T]):
    """A readable dict `name -> thing`; a name it lacks is looked for in entry points, then refused with the nearest.

    `registry["dra-signed"]` and `registry["dra_signed"]` are the same entry, and `in`, `[]` and `get` agree on it and
    on entry points. Iteration covers the built-in names only; `names()` adds those of installed packages.

    Args:
        kind: what the things are called in messages, such as `"method"`.
        group: the entry-point group other packages register in, such as `"dra_grpo.methods"`.
        entries: the built-in things.
        check: gives back what may be an entry and raises `UsageError` for the rest; None: anything may.

    Example:
        >>> dishes = Registry("dish", "dishes", {"fish-soup": 1})
        >>> "fish_soup" in dishes, dishes["fish_soup"], dishes.get("stew")
        (True, 1, None)
    """

    def __init__(self, kind: str, group: str, entries: Mapping[str, T], check: Callable[[Any], T] | None = None):
        super().__init__(entries)
        self.kind = kind
        self.group = group
        self.check = check or (lambda value: value)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._known(name) is not None

    def __missing__(self, name: str) -> T:
        known = self._known(name)
        if known is None:
            raise UnknownName(f"unknown {self.kind} {name!r}; {nearest(name, self.names())}")
        own = super().get(known)
        return self.check(entry_points(group=self.group)[known].load()) if own is None else own

    def __setitem__(self, name: str, value: T) -> None:
        super().__setitem__(name, self.check(value))

    def get(self, name: str, default: Any = None) -> Any:
        """The entry, or `default` where no entry has this name."""
        try:
            return self[name]
        except UnknownName:
            return default

    def find(self, thing: str | T) -> T:
        """The entry of that name; what is no name is taken for the thing itself.

        Raises:
            UsageError: an unknown name, or a thing that cannot be an entry.
        """
        return self[thing] if isinstance(thing, str) else self.check(thing)

    def names(self) -> list[str]:
        """Built-in names in order, then those that installed packages registered in `group`."""
        own = list(self)
        return [*own, *sorted(point.name for point in entry_points(group=self.group) if point.name not in own)]

    def _known(self, name: str) -> str | None:
        plain = name.replace("_", "-")
        return next((known for known in self.names() if known.replace("_", "-") == plain), None)


class UnknownName(UsageError, KeyError):
    """A name that no registry entry has; the message carries the nearest one."""

    def __str__(self) -> str:  # KeyError would print the quoted repr
        return str(self.args[0])


def load_path(path: str) -> Any:
    """The object a dotted path `package.module:attribute` or `package.module.attribute` names.

    A module of the current folder is found too, whatever command started Python there; an installed one comes first.

    Raises:
        UsageError: there is no such module or attribute, or the module is no Python.

    Example:
        >>> load_path("math:tau") == load_path("math.tau")
        True
    """
    module, _, attribute = path.partition(":") if ":" in path else path.rpartition(".")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, ValueError, AttributeError, SyntaxError) as error:
        raise UsageError(f"{path!r} cannot be loaded ({error}); expected 'package.module:attribute'") from error
