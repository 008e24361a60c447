"""RS-GRPO: the advantage of an exponential utility, between mean and maximum reward (arXiv 2509.24261)."""

import torch

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.groups import group_max


def risk_sensitive(rollouts: Rollouts, *, beta: float = 2.0) -> Adjusted:
    """A_i = (e^{βR_i} / mean_j e^{βR_j} − 1) / β.

    Args:
        rollouts: any rewards.
        beta: β; above 0 it seeks risk (rare successes count most), 0 is the centred reward.

    Returns:
        `Adjusted` at the advantage stage, mean 0 in each group; no division by σ.

    Example:
        >>> risk_sensitive(Rollouts(torch.tensor([1., 0., 0., 0.]), torch.zeros(4, dtype=torch.long))).advantages
        tensor([ 0.9225, -0.3075, -0.3075, -0.3075])

    Source: arXiv 2509.24261, eq. 5; Jackory/RS-GRPO, `risk_sensitive_adv.py`, which gives a group of one
    (e^{βR} − 1)/β where this gives 0.
    """
    index, rewards = rollouts.index, rollouts.precise_rewards
    if beta == 0:
        return Adjusted.from_advantages(rollouts, rewards - index.mean(rewards, rollouts.scored)[index.group])
    exponent = (beta * rewards).masked_fill(~rollouts.scored, -torch.inf)
    exponent = exponent - group_max(index, exponent, rollouts.scored)[index.group]  # what cancels costs no digits
    log_mean = index.mean(exponent.exp(), rollouts.scored).log()
    return Adjusted.from_advantages(rollouts, torch.expm1(exponent - log_mean[index.group]) / beta)
