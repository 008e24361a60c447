"""The front door: rewards and embeddings in, adjusted rewards out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, flatten_groups
from dra_grpo.errors import UsageError
from dra_grpo.methods import METHODS, MethodProtocol


def adjust_rewards(
    rewards: Tensor,
    embeddings: Tensor | None,
    groups: Tensor | None = None,
    *,
    method: str | MethodProtocol = "dra",
    correct: Tensor | None = None,
    logprobs: Tensor | None = None,
    answers: Sequence[Any] | None = None,
    texts: Sequence[Any] | None = None,
    **options: Any,
) -> Adjusted:
    """Adjust the rewards of groups of completions for diversity: by default R̃_i = R_i / (1 + Σ_{j≠i} cos(x_i, x_j)).

    Args:
        rewards: (N,) or (B, G), any dtype; NaN where a completion could not be scored.
        embeddings: (N, D) or (B, G, D), any float dtype; None for a method that needs none.
        groups: integer (N,), which prompt each row answers, in any order and ragged; None for (B, G) or one group.
        method: a name in `METHODS` (hyphen or underscore) or a method object.
        correct: bool, shaped like `rewards`; None means rewards > 0.
        logprobs: shaped like `rewards`, mean token log-probabilities, for the methods that need them.
        answers: one canonical answer a row (None where there is none), flat or as B lists of G.
        texts: one completion a row, flat or as B lists of G.
        **options: the method's own, such as `smi="logdet"`.

    Returns:
        `Adjusted` with `.rewards`, `.weights`, `.smi` shaped like `rewards`, `.stage`, and `.advantages` (None at the
        reward stage).

    Raises:
        ValueError: shapes that do not fit, NaN or infinity in a scored row's embedding, an unknown method or option,
            or a method that needs what was not given.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.], [0., 1.]])
        >>> adjust_rewards(torch.tensor([1., 1., 1., 0.]), embeddings).rewards
        tensor([0.5000, 0.5000, 0.5000, 0.0000])

    Source: DRA-GRPO, arXiv 2505.09655; each method's own in `METHODS[name].source`.
    """
    chosen = METHODS[method] if isinstance(method, str) else method
    flat, index = flatten_groups(rewards, groups)
    shape = tuple(rewards.shape)
    if embeddings is not None:
        if tuple(embeddings.shape[:-1]) != shape:
            raise UsageError(
                f"embeddings must be rewards' shape {shape} with a last dimension D; got {tuple(embeddings.shape)}"
            )
        embeddings = embeddings.reshape(len(flat), embeddings.shape[-1])
    for name, value in (("correct", correct), ("logprobs", logprobs)):
        if value is not None and tuple(value.shape) != shape:
            raise UsageError(f"{name} must be shaped like rewards, {shape}; got {tuple(value.shape)}")
    rollouts = Rollouts(
        flat,
        index.group,
        embeddings,
        None if correct is None else correct.reshape(-1),
        None if logprobs is None else logprobs.reshape(-1),
        _flat(answers, shape),
        _flat(texts, shape),
    )
    return chosen(rollouts, **options).reshape(shape)


def _flat(values: Sequence[Any] | None, shape: tuple[int, ...]) -> Sequence[Any] | None:
    """B lists of G as one list of B·G; a flat list as it is."""
    if values is None or len(shape) != 2 or not values or not isinstance(values[0], list | tuple):
        return values
    if any(len(group) != shape[1] for group in values):
        raise UsageError(f"texts and answers must be shaped like rewards, {shape}; got lists of other lengths")
    return [value for group in values for value in group]
