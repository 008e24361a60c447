"""Unlikeliness reward: the likelier a completion was among its group, the less it earns (arXiv 2506.02355)."""

import warnings

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts


def unlikeliness(rollouts: Rollouts, *, beta: float = 0.25) -> Adjusted:
    """R̃_i = R_i·(1 − β·rank_i / G), rank 0 the least likely by mean token log-probability, G the ranked rows.

    Args:
        rollouts: with logprobs (N,): sums where there are lengths (N,) to divide them by, means where there are none.
        beta: β, what the likeliest completion of a large group loses.

    Returns:
        `Adjusted` at the reward stage; a row whose log-probability is NaN keeps its reward and is not ranked.

    Example:
        >>> rollouts = Rollouts([1., 1., 0., 1.], [0, 0, 0, 0], logprobs=[-.1, -.5, -.3, -.9])
        >>> unlikeliness(rollouts).rewards
        tensor([0.8125, 0.9375, 0.0000, 1.0000])

    Source: arXiv 2506.02355; AndreHe02/rewarding-unlikely-release, `_compute_advantages`. As there, rewards below 0
    are scaled too. Different here: equal log-probabilities share the mean of their ranks; there, order breaks ties.
    """
    index, lengths = rollouts.index, rollouts.lengths
    logprobs = rollouts.logprobs if lengths is None else rollouts.logprobs / lengths.clamp(min=1)
    known = rollouts.scored & ~logprobs.isnan()
    unknown = int((rollouts.scored & ~known).sum())
    if unknown:
        warnings.warn(f"{unknown} completions have no log-probability: they keep their reward, unranked", stacklevel=2)

    def ranks(logprobs: Tensor, known: Tensor) -> Tensor:
        less = (logprobs[:, None, :] < logprobs[:, :, None]) & known[:, None, :]
        equal = (logprobs[:, None, :] == logprobs[:, :, None]) & known[:, None, :]
        return less.sum(-1) + (equal.sum(-1) - 1) / 2

    rank = index.map(ranks, logprobs, known).to(rollouts.precise_rewards.dtype)
    size = index.sum(known.to(rank.dtype))[index.group].clamp(min=1)
    return Adjusted.from_weights(rollouts, torch.where(known, 1 - beta * rank / size, 1.0))
