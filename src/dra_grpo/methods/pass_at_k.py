"""Pass@k training: the advantage whose reward is that any of k completions is correct (arXiv 2508.10751)."""

import torch

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.core.combinatorics import miss_probability


def pass_at_k(rollouts: Rollouts, *, k: int = 4) -> Adjusted:
    """A = (1 − ρ)/σ if correct, (1 − ρ − C(n−c−1, k−1)/C(n−1, k−1))/σ if wrong; ρ = pass@k, σ = √(ρ(1 − ρ)).

    Args:
        rollouts: n scored completions a group, c of them correct.
        k: how many tries the policy is trained for; 1 is GRPO with the population standard deviation.

    Returns:
        `Adjusted` at the advantage stage; 0 where σ = 0 (no correct completion, or fewer than k wrong ones) and in
        groups of k or fewer (`Method.check` refuses a k that is not below the group size).

    Example:
        >>> correct = torch.tensor([1., 1., 0., 0., 0., 0., 0., 0.])
        >>> pass_at_k(Rollouts(correct, torch.zeros(8, dtype=torch.long)), k=2).advantages[[0, 7]]
        tensor([ 1.0742, -0.3581])

    Source: arXiv 2508.10751; RUCAIBox/Passk_Training, `calc_adv`, which adds 1e-6 to σ.
    """
    index = rollouts.index
    n, c = index.sum(rollouts.scored.long()), index.sum(rollouts.is_correct.long())
    miss = miss_probability(n, c, k)
    std = (miss * (1 - miss)).sqrt()
    right, wrong = miss / std, (miss - miss_probability(n - 1, c, k - 1)) / std
    advantages = torch.where(rollouts.is_correct, right[index.group], wrong[index.group])
    advantages = torch.where(((std > 0) & (n >= k))[index.group], advantages, 0.0)
    return Adjusted.from_advantages(rollouts, advantages.to(rollouts.precise_rewards.dtype))
