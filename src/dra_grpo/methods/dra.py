"""DRA: divide each reward by 1 + its Submodular Mutual Information with the group (arXiv 2505.09655)."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, redundancy
from dra_grpo.errors import UsageError


def dra(
    rollouts: Rollouts,
    *,
    smi: str = "graph_cut",
    kernel: str = "cosine",
    jitter: float = 1e-3,
    clamp: bool = True,
    correct_only: bool = False,
    negative: Literal["scale", "keep", "mirror"] = "scale",
    normalize: Literal["mean"] | None = None,
) -> Adjusted:
    """R̃_i = R_i / (1 + SMI_i): copies lose weight, rare completions keep theirs.

    Args:
        rollouts: with embeddings (N, D).
        smi, kernel, jitter: see `dra_grpo.core.redundancy`.
        clamp: SMI ← max(0, SMI), so that the weight is in (0, 1]; False is the formula verbatim.
        correct_only: only correct completions count as company.
        negative: what becomes of R < 0. "scale" is the formula, which punishes a repeated mistake less than a new;
            "keep" leaves it; "mirror" is R·(2 − min(w, 1)), so that redundancy is never an advantage.
        normalize: "mean" rescales each group's weights to a mean of 1 over its correct completions, so that a gain is
            not a hidden change of learning rate; a group without a correct completion keeps weight 1.

    Returns:
        `Adjusted` at the reward stage; `rewards` is always `R · weights`.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> dra(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([0.3448, 0.3704, 0.0000, 0.6250])

    Source: arXiv 2505.09655, R̃(q, o_i) = R(q, o_i) / (1 + Σ_j s(o_i, o_j)).
    """
    value = redundancy(rollouts, smi=smi, kernel=kernel, jitter=jitter, clamp=clamp, correct_only=correct_only)
    if not clamp and (1 + value <= 0).any():
        warnings.warn(
            "1 + SMI is zero or negative for some completions: their weight is infinite or changes the reward's sign; "
            "clamp=True keeps it in (0, 1]",
            stacklevel=2,
        )
    weights = 1 / (1 + value)
    if normalize is not None:
        weights = mean_one(rollouts, weights, normalize)
    return Adjusted.from_weights(rollouts, _signed(rollouts, weights, negative), value)


def mean_one(rollouts: Rollouts, weights: Tensor, normalize: str) -> Tensor:
    """Weights (N,) rescaled to a mean of 1 over each group's correct rows; 1 in groups without one."""
    if normalize != "mean":
        raise UsageError(f"unknown normalize {normalize!r}; expected 'mean' or None")
    mean = rollouts.index.mean(weights, rollouts.is_correct)[rollouts.index.group]
    return torch.where(mean.isnan(), 1.0, weights / mean)


def _signed(rollouts: Rollouts, weights: Tensor, negative: str) -> Tensor:
    below = rollouts.rewards < 0
    if negative == "scale":
        return weights
    if negative == "keep":
        return torch.where(below, 1.0, weights)
    if negative == "mirror":
        return torch.where(below, 2 - weights.clamp(max=1), weights)
    raise UsageError(f"unknown negative {negative!r}; expected 'scale', 'keep' or 'mirror'")
