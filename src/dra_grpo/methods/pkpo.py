"""PKPO: unbiased gradients of pass@k (arXiv 2505.15201)."""

from typing import Literal

import torch

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.combinatorics import miss_probability


def pkpo(rollouts: Rollouts, *, k: int = 4, baseline: Literal["loo-1"] | None = None) -> Adjusted:
    """s_i = k/n if correct, (k/n)·ρ(n − 1, c, k − 1) if wrong; ρ(n, c, k) the estimate of pass@k.

    Args:
        rollouts: n scored completions a group, c of them correct.
        k: how many tries the policy is trained for.
        baseline: None is the estimator itself, whose advantages are all ≥ 0. "loo-1" (the preset `pkpo-loo`, the
            paper's choice) subtracts (k/n)·ρ(n − 1, ·, k − 1) of the others (eq. 33): what i adds to the k − 1 drawn
            with it, 0 for a wrong one. At k = 1, where nothing is drawn with it, the group's mean, as in the paper's
            listing.

    Returns:
        `Adjusted` at the advantage stage, as a sum over the group is weighted: n times the mean over completions that
        most engines take. No mean or σ is taken: any two-valued reward would be normalised back to GRPO's. 0 in groups
        of fewer than k.

    Example:
        >>> rollouts = Rollouts(torch.tensor([1., 1., 0., 0., 0.]), torch.zeros(5, dtype=torch.long))
        >>> pkpo(rollouts, k=3).advantages
        tensor([0.6000, 0.6000, 0.5000, 0.5000, 0.5000])

    Source: arXiv 2505.15201, eq. 6 and theorem 2 for binary rewards, eq. 33 for the baseline.
    """
    index = rollouts.index
    correct = rollouts.is_correct
    n, c = (index.sum(rows.long())[index.group] for rows in (rollouts.scored, correct))
    advantages = torch.where(correct, 1.0, 1 - miss_probability(n - 1, c, k - 1)).div(n) * k
    if baseline is not None:
        others = 1 - miss_probability(n - 1, c - correct.long(), k - 1) if k > 1 else c.to(advantages.dtype).div(n)
        advantages = advantages - others.div(n) * k
    advantages = torch.where(n < k, 0.0, advantages)
    return Adjusted.from_advantages(rollouts, advantages.to(rollouts.precise_rewards.dtype))
