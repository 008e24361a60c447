"""The one interface of every method: a callable that knows its stage, its needs and its source."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol, runtime_checkable

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.rollouts import Stage
from dra_grpo.errors import UsageError


@runtime_checkable
class MethodProtocol(Protocol):
    """What an engine asks of a method; `Method` is the usual way to have it."""

    @property
    def name(self) -> str: ...

    @property
    def stage(self) -> Stage: ...

    @property
    def source(self) -> str: ...

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
        base: the function whose options `adjust` passes on as `**options`; None where it takes none.
        least_group: the smallest group that can have an advantage with these options; None: as many as an option `k`.
    """

    name: str
    adjust: Callable[..., Adjusted]
    stage: Stage
    fields: tuple[str, ...] | Callable[[dict[str, Any]], tuple[str, ...]]
    source: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    base: Callable[..., Adjusted] | None = None
    least_group: Callable[[dict[str, Any]], int] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its default under this preset."""
        functions = [self.adjust] if self.base is None else [self.base, self.adjust]
        parameters = [p for function in functions for p in inspect.signature(function).parameters.values()]
        return {**{p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}, **self.preset}

    @property
    def summary(self) -> str:
        """The first line of the function's docstring, and the preset."""
        line = (inspect.getdoc(self.adjust) or "").partition("\n")[0]
        preset = ", ".join(f"{name}={value!r}" for name, value in self.preset.items())
        return f"{line} [{preset}]" if preset else line

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
        check_needs(self, [name for name in RICH_FIELDS if getattr(rollouts, name) is not None], **options)
        return self.adjust(rollouts, **self._settings(options))

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.options
        for name in options:
            if name not in settings:
                near = get_close_matches(name, settings, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(settings) or 'none'}"
                raise UsageError(f"method {self.name!r} has no option {name!r}; {hint}")
        return {**settings, **options}


RICH_FIELDS = ("embeddings", "correct", "logprobs", "answers", "texts")
"""The fields of `Rollouts` that not everyone can fill."""


def check_needs(
    method: MethodProtocol, available: Collection[str], group_size: int | None = None, **options: Any
) -> None:
    """Raise unless `method` can work with what there will be: ask before training starts.

    Args:
        method: a method object.
        available: the optional fields of `Rollouts` that will be there.
        group_size: completions a prompt; an option `k` (of k tries) must not exceed it, nor what the method says of
            itself in `least_group`.
        **options: the method's.

    Raises:
        UsageError: a field is missing (all are named), k exceeds the group, `method` has no such option, or is no
            method at all.

    Example:
        >>> from dra_grpo.methods import METHODS
        >>> check_needs(METHODS["unlikeliness"], ["embeddings", "texts"])
        Traceback (most recent call last):
        dra_grpo.errors.UsageError: method 'unlikeliness' needs logprobs, which the rollouts do not carry
    """
    if not isinstance(method, MethodProtocol):
        raise UsageError(
            f"a method has name, stage, source and needs(); got {method!r}: wrap it in dra_grpo.methods.Method"
        )
    missing = [name for name in method.needs(**options) if name not in available]
    if missing:
        raise UsageError(f"method {method.name!r} needs {' and '.join(missing)}, which the rollouts do not carry")
    settings = {**getattr(method, "options", {}), **options}
    k, least_group = settings.get("k"), getattr(method, "least_group", None)
    if group_size is None or not isinstance(k, int):
        return
    if group_size < (least := least_group(settings) if least_group else k):
        raise UsageError(
            f"method {method.name!r} with k={k} needs groups of {least} or more; got {group_size} completions a prompt"
            ": lower k, or sample more"
        )


def given(rollouts: Rollouts, name: str) -> Any:
    """The field `name` of `rollouts`.

    Raises:
        UsageError: the rollouts do not carry it.
    """
    value = getattr(rollouts, name)
    if value is None:
        raise UsageError(f"{name} are needed, which the rollouts do not carry; give Rollouts({name}=...)")
    return value
