"""What becomes of weights after 1 / (1 + SMI): the gate, the normalisation, and the rules for negative and wrong."""

import torch
from torch import Tensor

from dra_grpo.core import Rollouts
from dra_grpo.core.groups import group_max
from dra_grpo.core.redundancy import similarity_spread
from dra_grpo.core.similarity import Kernel
from dra_grpo.errors import UsageError


def gated(rollouts: Rollouts, weights: Tensor, min_spread: float | None, kernel: Kernel) -> Tensor:
    """Weights (N,), 1 throughout the all-correct groups whose `similarity_spread` is below `min_spread`."""
    if min_spread is None:
        return weights
    if min_spread < 0:
        raise UsageError(f"min_spread must be 0 or more, in units of similarity; got {min_spread}")
    index = rollouts.index
    has_wrong = index.sum((rollouts.scored & ~rollouts.is_correct).int()) > 0
    noise = ~has_wrong & (similarity_spread(rollouts, kernel) < min_spread)
    return torch.where(noise[index.group], 1.0, weights)


def normalized(rollouts: Rollouts, weights: Tensor, normalize: str | None) -> Tensor:
    """Weights (N,) rescaled to a mean of 1 over each group's correct rows; 1 in groups without one."""
    if normalize is None:
        return weights
    mean = rollouts.index.mean(weights, rollouts.is_correct)[rollouts.index.group]
    return torch.where(mean.isnan(), 1.0, weights / mean)


def signed(rollouts: Rollouts, weights: Tensor, negative: str) -> Tensor:
    """Weights (N,) after the rule for R < 0: "scale" R·w, "keep" R, "mirror" R·(2 − min(w, 1))."""
    below_0 = {"scale": weights, "keep": torch.ones_like(weights), "mirror": 2 - weights.clamp(max=1)}
    return torch.where(rollouts.rewards < 0, below_0[negative], weights)


def ordered(rollouts: Rollouts, weights: Tensor, wrong: str) -> Tensor:
    """Weights (N,) after the rule for wrong rows, R ≥ 0: "scale" R·w, "keep" R, which no correct row falls below."""
    if wrong == "scale":
        return weights
    rewards, index, correct = rollouts.precise_rewards, rollouts.index, rollouts.is_correct
    best_wrong = group_max(index, rewards, rollouts.scored & ~correct)[index.group]
    lifted = torch.minimum(rewards, best_wrong).clamp(min=0) / torch.where(rewards > 0, rewards, 1.0)
    weights = torch.where(correct & (rewards > 0), torch.maximum(weights, lifted), weights)
    return torch.where(~correct & (rewards >= 0), 1.0, weights)


def matched(rollouts: Rollouts, weights: Tensor, target: Tensor) -> Tensor:
    """Weights (N,) rescaled to `target`'s mean over each group's correct rows (scored rows where none is correct)."""
    index, correct = rollouts.index, rollouts.is_correct
    without = index.sum(correct.int())[index.group] == 0
    rows = correct | (without & rollouts.scored)
    return weights * (index.mean(target, rows) / index.mean(weights, rows))[index.group]
