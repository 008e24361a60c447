"""What cannot work is refused before anything is trained."""

from __future__ import annotations

import inspect
from typing import Any

from dra_grpo.completions import PARTS
from dra_grpo.config import DRAConfig
from dra_grpo.embedders import EMBEDDERS
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.errors import UsageError
from dra_grpo.methods import METHODS
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
    method = METHODS.find(dra.method)
    method.check(**dra.method_options)
    needs = method.needs(**dra.method_options)
    if "embeddings" in needs:
        PARTS[dra.embed]
        if EMBEDDERS[dra.embedder] is PolicyEmbedder and dra.embed != "completion":
            raise UsageError(f"embedder 'policy' pools whole completions; got embed={dra.embed!r}")
    if dra.answer is not None:
        if not callable(answer := load_path(dra.answer)):
            raise UsageError(f"answer {dra.answer!r} is {answer!r:.60}; expected a function, text -> canonical answer")
    elif "answers" in needs:
        raise UsageError(
            f"method {method.name!r} compares answers; set `answer` to a function from completion to canonical "
            "answer, as 'package.module:function'"
        )
