"""dra-blend: GRPO's advantage plus a bonus for being unlike the other correct completions."""

from typing import Any

import torch

from dra_grpo.core import Adjusted, Rollouts, grpo_advantages, redundancy
from dra_grpo.core.advantages import Scale


def dra_blend(
    rollouts: Rollouts, *, lam: float = 0.3, scale: Scale = "group", eps: float = 1e-4, **similarity: Any
) -> Adjusted:
    """A_i + λ·(w_i − mean_C w) / (σ_C(w) + 0.1) on the correct completions C, w = 1/(1 + SMI among C).

    The bonus is centred, so a group's mean advantage stays what it was; the 0.1 keeps a spread of w that is mere noise
    small. Unlike `dra-signed` it has a gradient in all-correct groups.

    Args:
        rollouts: with embeddings (N, D).
        lam: λ, which moves along the front between pass@1 (0, GRPO) and coverage (1 and more).
        scale, eps: see `grpo_advantages`; the bonus has its own scale.
        **similarity: options of `dra_grpo.core.redundancy`.

    Returns:
        `Adjusted` at the advantage stage.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.], [0., 1.]])
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), embeddings)
        >>> dra_blend(rollouts, lam=1., scale="none").advantages
        tensor([-0.1788, -0.1788,  1.1076, -0.7500])

    Source: this project.
    """
    correct, index = rollouts.is_correct, rollouts.index
    value = redundancy(rollouts, **{"correct_only": True, **similarity})
    weights = 1 / (1 + value)
    centred = torch.where(correct, weights - index.mean(weights, correct)[index.group], 0.0)
    count = index.sum(correct.to(weights.dtype))
    std = (index.sum(centred.square()) / (count - 1).clamp(min=1)).sqrt()
    bonus = lam * centred / (std[index.group] + 0.1)
    advantages = grpo_advantages(rollouts.rewards, index.group, scale, eps)
    return Adjusted.from_advantages(rollouts, advantages + bonus, smi=value)
