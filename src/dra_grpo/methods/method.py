"""The one interface of every method: a callable that knows its stage, its needs, its options and its source."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.rollouts import Stage
from dra_grpo.errors import UsageError, nearest

RICH_FIELDS = ("embeddings", "correct", "logprobs", "answers", "texts")
"""The fields of `Rollouts` that not everyone can fill."""


@dataclass(frozen=True)
class Method:
    """A function `(rollouts, *, option=default, ...)` with what is said of it.

    Attributes:
        name: its name in `METHODS`.
        adjust: the function; its keyword-only parameters are the method's options. It gives `Adjusted`, or a tensor
            (N,): the adjusted rewards at the reward stage, the advantages at the advantage stage.
        stage: "reward" or "advantage".
        fields: the optional fields of `Rollouts` it needs, or a function of the options that says which.
        source: the paper.
        preset: options that differ from the function's defaults.
        base: the function whose options `adjust` passes on as `**options`; None where it takes none.

    Raises:
        UsageError: an unknown stage or field.
    """

    name: str
    adjust: Callable[..., Adjusted | Tensor]
    stage: Stage = "reward"
    fields: tuple[str, ...] | Callable[[dict[str, Any]], tuple[str, ...]] = ()
    source: str = ""
    preset: Mapping[str, Any] = field(default_factory=dict)
    base: Callable[..., Adjusted] | None = None

    def __post_init__(self) -> None:
        if self.stage not in ("reward", "advantage"):
            raise UsageError(f"method {self.name!r}: stage is {self.stage!r}; expected 'reward' or 'advantage'")
        unknown = () if callable(self.fields) else [name for name in self.fields if name not in RICH_FIELDS]
        if unknown:
            raise UsageError(f"method {self.name!r} needs {unknown[0]!r}; expected some of {', '.join(RICH_FIELDS)}")

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

    def reads_correct(self, **options: Any) -> bool:
        """Whether with these options it looks at which completions are correct.

        Raises:
            UsageError: options it cannot run with.

        Example:
            >>> from dra_grpo.methods import METHODS
            >>> METHODS["dra"].reads_correct(), METHODS["dra"].reads_correct(correct_only=True)
            (False, True)
        """
        looks = []

        class Watched(Rollouts):
            @property
            def is_correct(self) -> Tensor:  # pyright: ignore[reportIncompatibleVariableOverride]
                looks.append(self)
                return self.scored & (self.rewards > 0)

        self._rehearse(Watched, 3, options)
        return bool(looks) or "correct" in self.needs(**options)

    def check(self, available: Collection[str] = RICH_FIELDS, group_size: int | None = None, **options: Any) -> None:
        """Raise unless it can work with what there will be: ask before training starts.

        Args:
            available: the optional fields of `Rollouts` that will be there.
            group_size: completions a prompt; None: not known.
            **options: the method's.

        Raises:
            UsageError: a field is missing (all are named); an option that it does not have, or that is of another
                kind than its default; options it cannot run with, which a rehearsal on made-up rows shows; or groups
                so small that all their advantages are 0.

        Example:
            >>> from dra_grpo.methods import METHODS
            >>> METHODS["unlikeliness"].check(["embeddings", "texts"])
            Traceback (most recent call last):
            dra_grpo.errors.UsageError: method 'unlikeliness' needs logprobs, which the rollouts do not carry
        """
        self._require(available, options)
        defaults = self.options
        for name, value in options.items():
            if not (expected := _kind(defaults[name]))[0](value):
                raise UsageError(
                    f"method {self.name!r}: {name} is {value!r}; expected {expected[1]}, such as {defaults[name]!r}"
                )
        adjusted = self._rehearse(Rollouts, group_size or 2, options)
        if group_size is not None and not adjusted.to_advantages().any():
            settings = self._settings(options)
            k, lower = (f" with k={settings['k']}", "lower k, or ") if "k" in settings else ("", "")
            raise UsageError(
                f"method {self.name!r}{k} gives every completion in a group of {group_size} the advantage 0: "
                f"{lower}sample more completions a prompt"
            )

    def __call__(self, rollouts: Rollouts, **options: Any) -> Adjusted:
        """Adjust `rollouts`.

        A reward that is infinite, or that the method makes infinite, counts as one that could not be scored: its row
        is NaN with advantage 0, and one warning says how many there are.

        Raises:
            UsageError: an option the method does not have, or a field of `rollouts` that it needs and is None.
        """
        self._require([name for name in RICH_FIELDS if getattr(rollouts, name) is not None], options)
        adjusted = self.adjust(rollouts, **self._settings(options))
        if isinstance(adjusted, Tensor):
            make = Adjusted.from_rewards if self.stage == "reward" else Adjusted.from_advantages
            adjusted = make(rollouts, adjusted)
        finite = (adjusted.rewards if adjusted.advantages is None else adjusted.advantages).isfinite()
        lost = rollouts.rewards.isinf() | (rollouts.scored & ~finite)
        if not lost.any():
            return adjusted
        warnings.warn(
            f"method {self.name!r}: {int(lost.sum())} of {len(lost)} rewards are infinite, before or after the "
            "adjustment; they count as completions that could not be scored",
            stacklevel=2,
        )
        return adjusted.without(lost)

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        settings = self.options
        for name in options:
            if name not in settings:
                raise UsageError(f"method {self.name!r} has no option {name!r}; {nearest(name, settings)}")
        return {**settings, **options}

    def _require(self, available: Collection[str], options: Mapping[str, Any]) -> None:
        missing = [name for name in self.needs(**options) if name not in available]
        if missing:
            raise UsageError(f"method {self.name!r} needs {' and '.join(missing)}, which the rollouts do not carry")

    def _rehearse(self, kind: type[Rollouts], G: int, options: Mapping[str, Any]) -> Adjusted:
        """Run on two made-up groups of G: one completion is correct, and all but one are."""
        correct = torch.stack([torch.arange(G) < 1, torch.arange(G) < max(G - 1, 1)]).flatten()
        angle = torch.linspace(0, 1.5, G).repeat(2)
        words = ["1" if right else "2" for right in correct.tolist()]
        made_up = kind(
            correct.float(),
            torch.arange(2).repeat_interleave(G),
            torch.stack([angle.cos(), angle.sin()], 1),
            correct,
            -1 - angle,
            words,
            words,
        )
        try:
            with warnings.catch_warnings(action="ignore"):
                return self(made_up, **options)
        except (ValueError, TypeError) as error:
            raise UsageError(f"method {self.name!r} with options {dict(options)}: {error}") from error


def _kind(default: Any) -> tuple[Callable[[Any], bool], str]:
    """What fits an option with this default, and what that is called."""

    def number(value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    if isinstance(default, bool):
        return lambda value: isinstance(value, bool), "true or false"
    if isinstance(default, int):
        return lambda value: number(value) and isinstance(value, int), "a whole number"
    if isinstance(default, float):
        return number, "a finite number"
    if isinstance(default, str):
        return lambda value: isinstance(value, str) or callable(value), "a name"
    return lambda value: True, "anything"


def method(
    *,
    needs: str | tuple[str, ...] = (),
    stage: Stage = "reward",
    name: str | None = None,
    source: str = "",
) -> Callable[[Callable[..., Adjusted | Tensor]], Method]:
    """Make a method of a function `(rollouts, *, option=default, ...) -> rewards (N,) or Adjusted`.

    Args:
        needs: the optional fields of `Rollouts` that the function reads: "embeddings", "correct", "logprobs",
            "answers", "texts".
        stage: "reward", where the function gives adjusted rewards, or "advantage", where it gives advantages.
        name: what messages call it; None: the function's name.
        source: the paper.

    Returns:
        A decorator that gives a `Method`, which `method=` takes everywhere.

    Example:
        >>> @method()
        ... def halved(rollouts, *, factor=0.5):
        ...     return factor * rollouts.rewards
        >>> halved(Rollouts([1., 0.], ["a", "a"])).rewards
        tensor([0.5000, 0.0000])
    """
    fields = (needs,) if isinstance(needs, str) else tuple(needs)
    return lambda function: Method(name or function.__name__, function, stage, fields, source)


def as_method(value: Any) -> Method:
    """`value`, if it is a method.

    Raises:
        UsageError: it is something else, such as a plain function.
    """
    if not isinstance(value, Method):
        raise UsageError(
            f"method is {value!r:.60}; expected a name of METHODS or a function with @dra_grpo.method(...) above it"
        )
    return value


def given(rollouts: Rollouts, name: str) -> Any:
    """The field `name` of `rollouts`.

    Raises:
        UsageError: the rollouts do not carry it.
    """
    value = getattr(rollouts, name)
    if value is None:
        raise UsageError(f"{name} are needed, which the rollouts do not carry; give Rollouts({name}=...)")
    return value
