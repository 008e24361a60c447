"""Rewards in TRL's signature, which need neither math-verify nor torch to be imported; `REWARDS` has them by name."""

from collections.abc import Callable
from typing import Any

from dra_grpo.registry import Registry
from dra_grpo.rewards.accuracy import AccuracyReward as AccuracyReward, accuracy_reward
from dra_grpo.rewards.countdown import countdown_reward, step_validity
from dra_grpo.rewards.format import FormatReward as FormatReward, format_reward
from dra_grpo.rewards.game24 import game24_reward
from dra_grpo.rewards.length import CosineLengthReward as CosineLengthReward, cosine_length_reward
from dra_grpo.rewards.repetition import RepetitionPenalty as RepetitionPenalty, repetition_penalty

_REWARDS = accuracy_reward, format_reward, cosine_length_reward, repetition_penalty
_GAMES = countdown_reward, step_validity, game24_reward

# `cosine_length_reward` is "cosine-length". `dataclasses.replace` sets the options of those that have some.
REWARDS: Registry[Callable[..., Any]] = Registry(
    "reward",
    "dra_grpo.rewards",
    {reward.__name__.removesuffix("_reward").replace("_", "-"): reward for reward in (*_REWARDS, *_GAMES)},
)
