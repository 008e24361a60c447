"""Everything of TRL's and Trainer's that is used and is not public, in one place; checked when a trainer is built."""

import inspect
from typing import Any, NamedTuple, Self

HOOKS = {
    "_calculate_rewards": ["inputs", "prompts", "completions", "completion_ids_list"],
    "_generate_and_score_completions": ["inputs"],
    "_generate": ["prompts"],
}
"""The trainer's methods that are overridden, with the parameters they must have."""

USED = (
    "_get_per_token_logps_and_entropies", "_metrics", "_logs", "reward_func_names", "reward_weights",
    "num_generations", "accelerator", "state", "_get_train_sampler", "_run_epoch", "_issue_warnings_after_load",
)  # fmt: skip
"""The trainer's attributes and methods that are used, the last three where a run is resumed."""

EPS = 1e-4
"""What TRL adds to σ."""


def check_hooks(trainer: Any) -> None:
    """Raise RuntimeError unless `trainer`, a `super()` in front of which the mixin stands, has the hooks."""
    for name, expected in HOOKS.items():
        found = list(inspect.signature(getattr(trainer, name)).parameters) if hasattr(trainer, name) else None
        if found != expected:
            _refuse(f"{name}({', '.join(expected)})", "it is missing" if found is None else f"({', '.join(found)})")


def check_attributes(trainer: Any) -> None:
    """Raise RuntimeError unless the built `trainer` has the attributes."""
    for name in USED:
        if not hasattr(trainer, name):
            _refuse(name, "it is missing")


class Generated(NamedTuple):
    """What `_generate` returns, of this process.

    Attributes:
        prompt_ids: N lists of token ids.
        completion_ids: N lists of token ids.
        own: N lists, 1 where the policy wrote the token and 0 where a tool or environment did.
        logprobs: N lists of the sampler's token log-probabilities; None where it gives none.
    """

    prompt_ids: list[list[int]]
    completion_ids: list[list[int]]
    own: list[list[int]]
    logprobs: list[list[float | None]] | None

    @classmethod
    def of(cls, returned: tuple) -> Self:
        """Read the tuple: GRPO's has eight entries, RLOO's prompt ids, completion ids and completions."""
        if len(returned) not in (3, 8):
            _refuse("_generate() with 3 or 8 values", f"it returns {len(returned)}")
        own, logprobs = (returned[2], returned[4]) if len(returned) == 8 else (None, None)
        return cls(returned[0], returned[1], own or [[1] * len(ids) for ids in returned[1]], logprobs)


def _refuse(expected: str, found: str) -> Any:
    from trl import __version__

    lacking = f"this trainer (trl {__version__}) lacks {expected}, which the adjustment hooks into: {found}"
    raise RuntimeError(f"{lacking}; tested with trl 1.16: use that version, or a trainer that keeps the hook")
