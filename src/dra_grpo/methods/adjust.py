"""The front door: rewards and embeddings in, adjusted rewards out."""

from collections.abc import Sequence
from typing import Any

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.methods import METHODS, Method


def adjust_rewards(
    rewards: Any,
    embeddings: Any,
    groups: Any = None,
    *,
    method: str | Method = "dra",
    correct: Any = None,
    logprobs: Any = None,
    answers: Sequence[Any] | None = None,
    texts: Sequence[Any] | None = None,
    lengths: Any = None,
    **options: Any,
) -> Adjusted:
    """Adjust the rewards of groups of completions for diversity: by default R̃_i = R_i / (1 + Σ_{j≠i} cos(x_i, x_j)).

    Args:
        rewards: (N,) or (B, G), any dtype; NaN, None or infinity where a completion could not be scored. Like all that
            follow, a tensor, an array, a list or a data-frame column.
        embeddings: (N, D) or (B, G, D), any float dtype; None for a method that needs none.
        groups: (N,), which prompt each row answers, integers or strings in any order and ragged; None for (B, G) or
            one group.
        method: a name in `METHODS` (hyphen or underscore) or a method object.
        correct: bool, shaped like `rewards`; None means rewards > 0.
        logprobs: shaped like `rewards`, each completion's log-probability under the policy that sampled it, summed
            over its own tokens, for the methods that need them.
        answers: one canonical answer a row (None where there is none), flat or as B lists of G.
        texts: one completion a row, flat or as B lists of G.
        lengths: shaped like `rewards`, each completion's own tokens, where a method takes the mean of a token.
        **options: the method's own, such as `smi="logdet"`.

    Returns:
        `Adjusted` with `.rewards`, `.weights`, `.smi` shaped like `rewards`, `.stage`, `.advantages` (None at the
        reward stage), and `.to_advantages()`, what to train on.

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
    rollouts = Rollouts(rewards, groups, embeddings, correct, logprobs, answers, texts, lengths)
    return METHODS.find(method)(rollouts, **options)
