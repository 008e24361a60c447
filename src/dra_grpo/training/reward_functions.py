"""Rewards as a run names them, with their options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.registry import load_path
from dra_grpo.rewards import REWARDS


def rewards_by_name(names: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Any]:
    """Reward functions in TRL's signature.

    Args:
        names: names in `REWARDS`, or dotted paths.
        options: one of `names` -> fields of that reward to set; a mapping inside sets fields of a reward inside.

    Raises:
        UsageError: an unknown name, options for a reward that is not used or has none, or an unknown option.

    >>> options = {"cosine-length": {"max_tokens": 100, "accuracy": {"workers": 1}}}
    >>> (reward,) = rewards_by_name(["cosine-length"], options)
    >>> reward.max_tokens, reward.accuracy.workers, reward.__name__
    (100, 1, 'cosine_length_reward')
    """
    given = {_spelling(name): (name, set_) for name, set_ in (options or {}).items()}
    rewards = []
    for name in names:
        reward = load_path(name) if "." in name or ":" in name else REWARDS[name]
        if not callable(reward) or not hasattr(reward, "__name__"):
            raise UsageError(
                f"reward {name!r} is {reward!r:.60}; expected a function (completions, **columns) -> rewards"
            )
        _, chosen = given.pop(_spelling(name), (name, {}))
        rewards.append(_with_options(reward, chosen, name))
    for name, _ in given.values():
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the rewards are: {', '.join(names)}"
        raise UsageError(f"reward_options names {name!r}, which is not among reward_funcs; {hint}")
    return rewards


def function_name(name: str | None) -> str | None:
    """What TRL calls the reward of that name: `cosine-length` is `cosine_length_reward`. Other names stay."""
    spellings = {_spelling(known): known for known in REWARDS}
    return REWARDS[spellings[_spelling(name)]].__name__ if name and _spelling(name) in spellings else name


def _spelling(name: str) -> str:
    return name.replace("_", "-")


def _with_options(reward: Any, options: Any, name: str) -> Any:
    if not isinstance(options, Mapping):
        raise UsageError(f"reward_options.{name} is {options!r:.60}; expected a mapping of its options")
    if not options:
        return reward
    if not is_dataclass(reward) or isinstance(reward, type):
        raise UsageError(f"reward {name!r} has no options; got {', '.join(options)}")
    known = [field.name for field in fields(reward)]
    for option in options:
        if option not in known:
            near = get_close_matches(str(option), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise UsageError(f"reward {name!r} has no option {option!r}; {hint}")
    inside = {
        option: _with_options(getattr(reward, option), value, f"{name}.{option}")
        for option, value in options.items()
        if is_dataclass(getattr(reward, option))
    }
    try:
        return replace(reward, **{**options, **inside})
    except TypeError as error:
        raise UsageError(f"reward {name!r} refuses {dict(options)}: {error}") from error
