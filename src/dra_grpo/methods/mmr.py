"""MMR-GRPO: rewards by Maximal Marginal Relevance, one greedy pass over the group (arXiv 2601.09085)."""

from __future__ import annotations

from typing import Literal

import torch

from dra_grpo.core import Adjusted, Rollouts, group_similarity
from dra_grpo.errors import UsageError


def mmr(
    rollouts: Rollouts,
    *,
    lam: float | None = None,
    kernel: str = "cosine",
    ties: Literal["central", "first"] = "central",
) -> Adjusted:
    """R̃ = λR_i − (1 − λ)·max_{j picked} S_ij in the order picked, best first; the first keeps its R.

    Args:
        rollouts: with embeddings (N, D).
        lam: λ in [0, 1]; None is the paper's sigmoid(σ), σ the population standard deviation of the group's rewards.
        kernel: see `dra_grpo.core.redundancy`.
        ties: which of equal scores is picked: the one most similar to the group, whatever the order of the rows, or
            the first row, as in the source. Exact copies that tie are told apart by order alone.

    Returns:
        `Adjusted` at the reward stage.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> mmr(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([ 1.0000,  0.2525, -0.3147,  0.5279])

    Source: arXiv 2601.09085; WeiKangda/MMR-GRPO, `diverse_adjust_rewards_fast_sigmoid`. Different here: the released
    code runs one greedy pass and one λ over the rows of all prompts together; and it counts negative cosines as 0
    (`kernel="cosine_clamped"`).
    """
    if ties not in ("central", "first"):
        raise UsageError(f"unknown ties {ties!r}; expected 'central' or 'first'")
    if lam is not None and not 0 <= lam <= 1:
        raise UsageError(f"lam must be in [0, 1], or None for sigmoid(σ); got {lam}")
    index, rewards = rollouts.index, rollouts.precise_rewards
    similarity = group_similarity(rollouts, kernel).to(rewards.dtype)
    R, left = index.pad(rewards).nan_to_num(0.0), index.pad(rollouts.scored, False)
    spread = rewards - index.mean(rewards, rollouts.scored)[index.group]
    std = index.mean(spread.square(), rollouts.scored).sqrt()
    weight = (std.sigmoid() if lam is None else torch.full_like(std, lam))[:, None]
    centrality = similarity.masked_fill(~left[:, None, :], 0.0).sum(-1) if ties == "central" else torch.zeros_like(R)
    adjusted, score = torch.zeros_like(R), R
    nearest = torch.full_like(R, -torch.inf)
    for _ in range(index.shape[1]):
        candidates = score.masked_fill(~left, -torch.inf)
        tied = left & (candidates == candidates.amax(1, keepdim=True))
        pick = centrality.masked_fill(~tied, -torch.inf).argmax(1, keepdim=True)
        adjusted = torch.where(left.any(1, keepdim=True), adjusted.scatter(1, pick, score.gather(1, pick)), adjusted)
        left = left.scatter(1, pick, False)
        picked = similarity.gather(2, pick[:, None, :].expand(-1, index.shape[1], -1))[..., 0]
        nearest = torch.maximum(nearest, picked)
        score = weight * R - (1 - weight) * nearest
    return Adjusted.from_rewards(rollouts, index.unpad(adjusted))
