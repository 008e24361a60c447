"""dra-signed: what GRPO gives the correct completions, shared out among them by DRA's weights."""

from typing import Any

import torch

from dra_grpo.core import Adjusted, Rollouts, grpo_advantages, redundancy
from dra_grpo.core.advantages import Scale


def dra_signed(rollouts: Rollouts, *, scale: Scale = "group", eps: float = 1e-4, **similarity: Any) -> Adjusted:
    """A_i ← A_i·w_i·(Σ A⁺ / Σ A⁺w) over the correct completions with A > 0, w = 1/(1 + SMI); the others keep A.

    The positive part keeps its sum, so a group's mean advantage stays what it was, no correct completion is pushed
    down that GRPO pushes up, and an all-correct group gives no gradient: the noise of an encoder has no way in.

    Args:
        rollouts: with embeddings (N, D).
        scale, eps: see `grpo_advantages`.
        **similarity: options of `dra_grpo.core.redundancy`.

    Returns:
        `Adjusted` at the advantage stage.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.], [0., 1.]])
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), embeddings)
        >>> dra_signed(rollouts, correct_only=True, scale="none").advantages
        tensor([ 0.1875,  0.1875,  0.3750, -0.7500])

    Source: this project.
    """
    value = redundancy(rollouts, **similarity)
    advantages = grpo_advantages(rollouts.rewards, rollouts.index.group, scale, eps)
    index, raised = rollouts.index, rollouts.is_correct & (advantages > 0)
    share = torch.where(raised, advantages / (1 + value), 0.0)
    kept = index.sum(torch.where(raised, advantages, 0.0)) / index.sum(share)
    weights = torch.where(raised, kept[index.group] / (1 + value), 1.0)
    return Adjusted.from_advantages(rollouts, advantages * weights, weights, value)
