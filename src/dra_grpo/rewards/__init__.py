"""Rewards in TRL's signature; `REWARDS` is where a name becomes one. Importing this package loads none of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dra_grpo.registry import Registry
    from dra_grpo.rewards.accuracy import AccuracyReward as AccuracyReward
    from dra_grpo.rewards.accuracy import accuracy_reward as accuracy_reward
    from dra_grpo.rewards.countdown import countdown_reward as countdown_reward
    from dra_grpo.rewards.countdown import step_validity as step_validity
    from dra_grpo.rewards.format import FormatReward as FormatReward
    from dra_grpo.rewards.format import format_reward as format_reward
    from dra_grpo.rewards.game24 import game24_reward as game24_reward
    from dra_grpo.rewards.length import CosineLengthReward as CosineLengthReward
    from dra_grpo.rewards.length import cosine_length_reward as cosine_length_reward
    from dra_grpo.rewards.repetition import RepetitionPenalty as RepetitionPenalty
    from dra_grpo.rewards.repetition import repetition_penalty as repetition_penalty

    REWARDS: Registry[Callable[..., list[float | None]] | Callable[..., list[float]]]

_MODULES = {
    "accuracy_reward": "accuracy",
    "AccuracyReward": "accuracy",
    "format_reward": "format",
    "FormatReward": "format",
    "cosine_length_reward": "length",
    "CosineLengthReward": "length",
    "repetition_penalty": "repetition",
    "RepetitionPenalty": "repetition",
    "countdown_reward": "countdown",
    "step_validity": "countdown",
    "game24_reward": "game24",
}

# The rewards themselves; those with options are frozen dataclasses, so that `dataclasses.replace` sets them.
_REGISTERED = {
    "accuracy": "accuracy_reward",
    "format": "format_reward",
    "cosine-length": "cosine_length_reward",
    "repetition-penalty": "repetition_penalty",
    "countdown": "countdown_reward",
    "step-validity": "step_validity",
    "game24": "game24_reward",
}

__all__ = ["REWARDS", *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "REWARDS":
        from dra_grpo.registry import Registry

        value: Any = Registry(
            "reward", "dra_grpo.rewards", {key: __getattr__(attribute) for key, attribute in _REGISTERED.items()}
        )
    elif name in _MODULES:
        value = getattr(import_module(f"dra_grpo.rewards.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # from now on it is found without coming here
    return value
