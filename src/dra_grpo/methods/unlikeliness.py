"""Unlikeliness reward: the likelier a completion was among its group, the less it earns (arXiv 2506.02355)."""

from __future__ import annotations

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.errors import UsageError
from dra_grpo.methods.method import given


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
        >>> logprobs = torch.tensor([-.1, -.5, -.3, -.9])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> unlikeliness(Rollouts(rewards, groups, logprobs=logprobs)).rewards
        tensor([0.8125, 0.9375, 0.0000, 1.0000])

    Source: arXiv 2506.02355; AndreHe02/rewarding-unlikely-release, `_compute_advantages`. As there, rewards below 0
    are scaled too. Different here: equal log-probabilities share the mean of their ranks; there, order breaks ties.
    """
    logprobs = given(rollouts, "logprobs")
    index, scored = rollouts.index, rollouts.scored
    missing = (scored & logprobs.isnan()).nonzero().flatten().tolist()
    if missing:
        raise UsageError(f"logprobs of row {missing[0]} is NaN; expected one for every scored completion")
    logprobs, company = index.pad(logprobs), index.pad(scored, False)
    less = (logprobs[:, None, :] < logprobs[:, :, None]) & company[:, None, :]
    equal = (logprobs[:, None, :] == logprobs[:, :, None]) & company[:, None, :]
    rank = index.unpad(less.sum(-1) + (equal.sum(-1) - 1) / 2).to(rollouts.precise_rewards.dtype)
    size = index.sum(scored.to(rank.dtype))[index.group].clamp(min=1)
    return Adjusted.from_weights(rollouts, 1 - beta * rank / size)
