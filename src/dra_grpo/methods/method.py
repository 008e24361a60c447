"""The one interface of every method: a callable that knows its stage, its needs and its source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.adjustment import Stage
from dra_grpo.errors import UsageError


@runtime_checkable
class MethodProtocol(Protocol):
    """What an engine asks of a method; `Method` is the usual way to have it."""

    name: str
    stage: Stage
    source: str

    def needs(self, **options: Any) -> tuple[str, ...]:
        """The optional fields of `Rollouts` it cannot do without, given these options."""
        ...

    def __call__(self, rollouts: Rollouts, **options: Any) -> Adjusted: ...


@dataclass(frozen=True)
class Method:
    """A function `(rollouts, *, option=default, ...) -> Adjusted` with what is said of it.

    Attributes:
        name: its name in `METHODS`.
        adjust: the function; its keyword-only parameters are the method's options.
        stage: "reward" or "advantage".
        fields: the optional fields of `Rollouts` it needs, or a function of the options that says which.
        source: the paper.
        preset: options that differ from the function's defaults.
    """

    name: str
    adjust: Callable[..., Adjusted]
    stage: Stage
    fields: tuple[str, ...] | Callable[[dict[str, Any]], tuple[str, ...]]
    source: str
    preset: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its default under this preset."""
        parameters = inspect.signature(self.adjust).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
        return {**defaults, **self.preset}

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.adjust) or "").partition("\n")[0]

    def needs(self, **options: Any) -> tuple[str, ...]:
        """The optional fields of `Rollouts` it cannot do without, given these options.

        Raises:
            UsageError: an option the method does not have.
        """
        settings = self._settings(options)
        return self.fields(settings) if callable(self.fields) else self.fields

    def __call__(self, rollouts: Rollouts, **options: Any) -> Adjusted:
        """Adjust `rollouts`.

        Raises:
            UsageError: an option the method does not have, or a field of `rollouts` that it needs and is None.
        """
        settings = self._settings(options)
        missing = [name for name in self.needs(**options) if getattr(rollouts, name) is None]
        if missing:
            raise UsageError(f"method {self.name!r} needs {' and '.join(missing)}, which the rollouts do not carry")
        return self.adjust(rollouts, **settings)

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.options
        for name in options:
            if name not in settings:
                near = get_close_matches(name, settings, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(settings) or 'none'}"
                raise UsageError(f"method {self.name!r} has no option {name!r}; {hint}")
        return {**settings, **options}
