"""Credit for what a completion adds to its group's quality-weighted volume (arXiv 2605.11461 and its kin)."""

from __future__ import annotations

from typing import Literal

import torch

from dra_grpo.core import Adjusted, Rollouts, group_similarity
from dra_grpo.errors import UsageError
from dra_grpo.methods.draws import generator
from dra_grpo.methods.shapley import log_det_factor, sampled_shapley, shapley

EXACT = 10
"""Largest G whose 2^G subsets are enumerated for Shapley values; in larger groups they are sampled."""


def logdet_marginal(
    rollouts: Rollouts,
    *,
    credit: Literal["leave_one_out", "shapley"] = "leave_one_out",
    kernel: str = "cosine",
    samples: int = 256,
    seed: int = 0,
    step: int = 0,
) -> Adjusted:
    """R̃_i = F(V) − F(V∖i), or i's Shapley value; F(A) = log det(I + K_A), K = diag(√q) S diag(√q), q = max(R, 0).

    Args:
        rollouts: with embeddings (N, D).
        credit: "leave_one_out", by one factorisation −log [(I + K)⁻¹]_ii; or "shapley", whose values sum to F(V).
        kernel: positive semi-definite; see `dra_grpo.core.redundancy`.
        samples: orders that estimate Shapley values where the largest group has more than `EXACT` rows.
        seed, step: of those orders, which are drawn over places in the group; pass the training step.

    Returns:
        `Adjusted` at the reward stage. A reward below 0 has no volume and stays; so does the R of a group of one.

    Raises:
        ValueError: an unknown choice, or a kernel that is not positive semi-definite.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> logdet_marginal(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([0.4593, 0.4668, 0.0000, 0.6831])

    Source: the family of arXiv 2509.04784 (the group's log det), 2602.01062 (leave-one-out) and 2605.11461 (average
    marginal contribution to a reward-weighted determinant), in our own notation.
    """
    if credit not in ("leave_one_out", "shapley"):
        raise UsageError(f"unknown credit {credit!r}; expected 'leave_one_out' or 'shapley'")
    if samples < 1:
        raise UsageError(f"samples must be 1 or more; got {samples}")
    index, rewards = rollouts.index, rollouts.precise_rewards
    S = group_similarity(rollouts, kernel)
    S = S if S.device.type == "mps" else S.double()
    root = index.pad(rewards).nan_to_num(0.0).clamp(min=0).sqrt().to(S.dtype)
    volume = torch.eye(index.shape[1], dtype=S.dtype, device=S.device) + root[:, :, None] * S * root[:, None, :]
    if credit == "leave_one_out":
        marginal = -torch.cholesky_inverse(log_det_factor(volume)).diagonal(dim1=-2, dim2=-1).log()
    elif index.shape[1] <= EXACT:
        marginal = shapley(volume)
    else:
        marginal = sampled_shapley(volume, samples, generator(seed, step))
    adjusted = index.unpad(marginal).to(rewards.dtype) + rewards.clamp(max=0)
    alone = index.sum(rollouts.scored.int())[index.group] == 1
    return Adjusted.from_rewards(rollouts, torch.where(alone, rewards, adjusted))
