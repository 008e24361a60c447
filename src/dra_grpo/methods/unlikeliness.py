"""Unlikeliness reward: the likelier a completion was among its group, the less it earns (arXiv 2506.02355)."""

from __future__ import annotations

from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.errors import UsageError


def unlikeliness(rollouts: Rollouts, *, beta: float = 0.25) -> Adjusted:
    """R̃_i = R_i·(1 − β·rank_i / G), rank 0 the least likely by mean token log-probability, G the group's scored rows.

    Args:
        rollouts: with logprobs (N,).
        beta: β, what the likeliest completion of a large group loses.

    Returns:
        `Adjusted` at the reward stage.

    Raises:
        ValueError: a scored row without a log-probability.

    Example:
        >>> rollouts = Rollouts([1., 1., 0., 1.], [0, 0, 0, 0], logprobs=[-.1, -.5, -.3, -.9])
        >>> unlikeliness(rollouts).rewards
        tensor([0.8125, 0.9375, 0.0000, 1.0000])

    Source: arXiv 2506.02355; AndreHe02/rewarding-unlikely-release, `_compute_advantages`. As there, rewards below 0
    are scaled too. Different here: equal log-probabilities share the mean of their ranks; there, order breaks ties.
    """
    logprobs, scored, index = rollouts.given("logprobs"), rollouts.scored, rollouts.index
    missing = (scored & logprobs.isnan()).nonzero().flatten().tolist()
    if missing:
        raise UsageError(f"logprobs of row {missing[0]} is NaN; expected one for every scored completion")

    def ranks(logprobs: Tensor, scored: Tensor) -> Tensor:
        less = (logprobs[:, None, :] < logprobs[:, :, None]) & scored[:, None, :]
        equal = (logprobs[:, None, :] == logprobs[:, :, None]) & scored[:, None, :]
        return less.sum(-1) + (equal.sum(-1) - 1) / 2

    rank = index.map(ranks, logprobs, scored).to(rollouts.precise_rewards.dtype)
    size = index.sum(scored.to(rank.dtype))[index.group].clamp(min=1)
    return Adjusted.from_weights(rollouts, 1 - beta * rank / size)
