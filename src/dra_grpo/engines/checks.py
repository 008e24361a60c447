"""What cannot work is refused before anything is trained."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch

from dra_grpo.completions import PARTS
from dra_grpo.config import DRAConfig
from dra_grpo.core import Rollouts
from dra_grpo.embedders import EMBEDDERS
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.errors import UsageError
from dra_grpo.methods import METHODS, MethodProtocol
from dra_grpo.registry import load_path


def check_hooks(trainer: Any, hooks: dict[str, list[str]]) -> None:
    """Raise RuntimeError unless `trainer` has the methods `hooks`, with these parameters."""
    for name, expected in hooks.items():
        found = list(inspect.signature(getattr(trainer, name)).parameters) if hasattr(trainer, name) else None
        if found != expected:
            from trl import __version__

            raise RuntimeError(
                f"trl {__version__} has {name}({', '.join(found) if found is not None else 'missing'}), expected "
                f"({', '.join(expected)}); install the tested one: pip install 'trl==1.16.*'"
            )


def correctness_column(names: list[str], correctness_reward: str | None) -> int:
    """Which reward function says what is correct."""
    if correctness_reward is None and len(names) == 1:
        return 0
    if correctness_reward not in names:
        raise UsageError(
            f"correctness_reward is {correctness_reward!r}; expected the reward function whose value > 0 means "
            f"correct, one of: {', '.join(names)}"
        )
    return names.index(correctness_reward)


def check_config(dra: DRAConfig) -> None:
    """Raise UsageError where a name, an option or a path of `dra` cannot work."""
    method = METHODS[dra.method]
    needs = method.needs(**dra.method_options)
    check_types(method, dra.method_options)
    rehearse(method, dra.method_options)
    if "embeddings" in needs:
        PARTS[dra.embed]
        if EMBEDDERS[dra.embedder] is PolicyEmbedder and dra.embed != "completion":
            raise UsageError(f"embedder 'policy' pools whole completions; got embed={dra.embed!r}")
    if dra.answer is not None:
        if not callable(answer := load_path(dra.answer)):
            raise UsageError(f"answer {dra.answer!r} is {answer!r:.60}; expected a function, text -> canonical answer")
    elif "answers" in needs:
        raise UsageError(
            f"method {dra.method!r} compares answers; set `answer` to a function from completion to canonical answer, "
            "as 'package.module:function'"
        )


def check_types(method: MethodProtocol, options: dict[str, Any]) -> None:
    """Raise UsageError where an option is of another kind than its default: a rehearsal gets by with `clamp="no"`."""
    defaults = getattr(method, "options", {})
    for name, value in options.items():
        default = defaults.get(name)
        if type(default) is bool:
            fits, kind = isinstance(value, bool), "true or false"
        elif type(default) is int:
            fits, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
        elif type(default) is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            kind = "a finite number"
        elif type(default) is str:
            fits, kind = isinstance(value, str), "a name"
        else:
            continue
        if not fits:
            raise UsageError(f"method {method.name!r}: {name} is {value!r}; expected {kind}, such as {default!r}")


def rehearse(method: MethodProtocol, options: dict[str, Any]) -> None:
    """Run the method once on two made-up rows: a bad option value shows before training, not after the first batch."""
    made_up = Rollouts(
        torch.tensor([1.0, 0.0]), torch.zeros(2, dtype=torch.long), torch.eye(2), torch.tensor([True, False]),
        torch.tensor([-1.0, -2.0]), ["1", "2"], ["a", "b"],
    )  # fmt: skip
    try:
        method(made_up, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(f"method {method.name!r} with options {options}: {error}") from error
