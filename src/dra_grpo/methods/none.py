"""No adjustment: plain GRPO, the baseline of every comparison."""

from __future__ import annotations

import torch

from dra_grpo.core import Adjusted, Rollouts


def none(rollouts: Rollouts) -> Adjusted:
    """R̃ = R.

    Example:
        >>> none(Rollouts(torch.tensor([1., 0.]), torch.tensor([0, 0]))).rewards
        tensor([1., 0.])

    Source: GRPO, arXiv 2402.03300.
    """
    return Adjusted.from_weights(rollouts, torch.ones_like(rollouts.precise_rewards))
