"""The one interface of every method: a callable that knows its stage, its needs, its options and its source."""

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.rollouts import Stage
from dra_grpo.errors import UsageError, nearest
from dra_grpo.methods.options import check_option, parameters

RICH_FIELDS = ("embeddings", "correct", "logprobs", "answers", "texts", "lengths")
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
        bases: functions whose options `adjust` passes on as `**options`.
    """

    name: str
    adjust: Callable[..., Adjusted | Tensor]
    stage: Stage = "reward"
    fields: tuple[str, ...] | Callable[[dict[str, Any]], tuple[str, ...]] = ()
    source: str = ""
    preset: Mapping[str, Any] = field(default_factory=dict)
    bases: tuple[Callable[..., Any], ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Every option with its default under this preset."""
        known = parameters(*self.bases, self.adjust)
        return {**{name: parameter.default for name, parameter in known.items()}, **self.preset}

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

        self._rehearse(Watched, 3, options, RICH_FIELDS)
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
        adjusted = self._rehearse(Rollouts, group_size or 2, options, available)
        if group_size is not None and not adjusted.to_advantages().any():
            of_k = f" with k={self._settings(options)['k']}" if "k" in self.options else ""
            raise UsageError(
                f"method {self.name!r}{of_k} gives every completion in a group of {group_size} the advantage 0: "
                "sample more completions a prompt, or lower k where there is one"
            )

    def __call__(self, rollouts: Rollouts, **options: Any) -> Adjusted:
        """Adjust `rollouts`.

        A reward that is infinite, or that the method makes infinite, counts as one that could not be scored: its row
        is NaN with advantage 0, and one warning says how many there are.

        Raises:
            UsageError: an option the method does not have, or a field of `rollouts` that it needs and is None.
        """
        missing = [name for name in self.needs(**options) if getattr(rollouts, name) is None]
        if missing:
            raise UsageError(f"method {self.name!r} needs {' and '.join(missing)}, which the rollouts do not carry")
        adjusted = self.adjust(rollouts, **self._settings(options))
        if isinstance(adjusted, Tensor):
            made_of = {"reward": Adjusted.from_rewards, "advantage": Adjusted.from_advantages}
            adjusted = made_of[self.stage](rollouts, adjusted)
        lost = rollouts.rewards.isinf() | (rollouts.scored & adjusted.rewards.isnan())
        if lost.any():
            warnings.warn(
                f"method {self.name!r}: {int(lost.sum())} of {len(lost)} rewards are infinite, before or after the "
                "adjustment; they count as completions that could not be scored",
                stacklevel=2,
            )
        return adjusted.reshape(rollouts.shape)

    def _settings(self, options: Mapping[str, Any]) -> dict[str, Any]:
        known = parameters(*self.bases, self.adjust)
        for name, value in options.items():
            if name not in known:
                raise UsageError(f"method {self.name!r} has no option {name!r}; {nearest(name, known)}")
            check_option(known[name], value, f"method {self.name!r}")
        return {**self.options, **options}

    def _rehearse(self, kind: type[Rollouts], G: int, options: dict[str, Any], available: Collection[str]) -> Adjusted:
        """Run on two made-up groups of G: one completion is correct, and all but one are."""
        correct = torch.cat([torch.arange(G) < 1, torch.arange(G) < G - 1])
        angle, words = torch.linspace(0, 1.5, 2 * G), [str(right) for right in correct.tolist()]
        columns: list[Any] = [torch.stack([angle.cos(), angle.sin()], 1), correct, -angle, words, words, 1 + angle]
        given = {name: values for name, values in zip(RICH_FIELDS, columns, strict=True) if name in available}
        with warnings.catch_warnings(action="ignore"):
            return self(kind(correct.float(), torch.arange(2).repeat_interleave(G), **given), **options)


def method(
    *, needs: str | tuple[str, ...] = (), stage: Stage = "reward", name: str | None = None, source: str = ""
) -> Callable[[Callable[..., Adjusted | Tensor]], Method]:
    """Make a method of a function `(rollouts, *, option=default, ...) -> rewards (N,) or Adjusted`.

    Args:
        needs: the optional fields of `Rollouts` that the function reads: "embeddings", "correct", "logprobs",
            "answers", "texts", "lengths".
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
    fields = (needs,) if isinstance(needs, str) else needs
    return lambda function: Method(name or function.__name__, function, stage, fields, source)


def as_method(value: Any) -> Method:
    """`value`, if it is a method.

    Raises:
        UsageError: it is something else, such as a plain function.
    """
    if not isinstance(value, Method):
        raise UsageError(f"method is {value!r:.60}; expected a name of METHODS or a function with @dra_grpo.method()")
    return value
