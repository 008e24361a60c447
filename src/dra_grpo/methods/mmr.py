"""MMR-GRPO: rewards by Maximal Marginal Relevance, one greedy pass over the group (arXiv 2601.09085)."""

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, group_similarity
from dra_grpo.core.similarity import Kernel


def mmr(rollouts: Rollouts, *, lam: float | None = None, kernel: Kernel = "cosine") -> Adjusted:
    """R̃ = λR_i − (1 − λ)·max_{j picked} S_ij in the order picked, best first; the first keeps its R.

    Of equal scores the row most similar to the group is picked, and of equally similar ones the one whose embedding
    comes first in lexical order, so that the order of rows does not matter.

    Args:
        rollouts: with embeddings (N, D).
        lam: λ in [0, 1]; None is the paper's sigmoid(σ), σ the population standard deviation of the group's rewards.
        kernel: see `dra_grpo.core.redundancy`.

    Returns:
        `Adjusted` at the reward stage.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> mmr(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([ 1.0000,  0.2525, -0.3147,  0.5279])

    Source: arXiv 2601.09085; WeiKangda/MMR-GRPO, `diverse_adjust_rewards_fast_sigmoid`. Different here: the released
    code runs one greedy pass and one λ over the rows of all prompts together; it gives ties to the first row; and it
    counts negative cosines as 0 (`kernel="cosine_clamped"`).
    """
    index, rewards, scored = rollouts.index, rollouts.precise_rewards, rollouts.scored
    spread = rewards - index.mean(rewards, scored)[index.group]
    std = index.mean(spread.square(), scored).sqrt()[index.group]
    weight = std.sigmoid() if lam is None else torch.full_like(std, lam)
    embeddings = rollouts.scored_embeddings.to(torch.promote_types(rollouts.scored_embeddings.dtype, torch.float32))
    # Equal rows have equal numbers, and a row's number is above another's wherever the two stand.
    lexical = torch.unique(embeddings, dim=0, return_inverse=True)[1]

    def greedy(embeddings: Tensor, R: Tensor, weight: Tensor, left: Tensor, lexical: Tensor) -> Tensor:
        similarity = group_similarity(embeddings, left, kernel).to(R.dtype)
        centrality = (similarity * left[:, None, :]).sum(-1)
        adjusted, score, nearest = torch.zeros_like(R), R, torch.full_like(R, -torch.inf)
        for _ in range(R.shape[1]):
            tied = _best(centrality, _best(score, left))
            pick = lexical.masked_fill(~tied, torch.iinfo(lexical.dtype).max).argmin(1, keepdim=True)
            adjusted = torch.where(
                left.any(1, keepdim=True), adjusted.scatter(1, pick, score.gather(1, pick)), adjusted
            )
            left = left.scatter(1, pick, False)
            picked = similarity.gather(2, pick[:, None, :].expand(-1, R.shape[1], -1))[..., 0]
            nearest = torch.maximum(nearest, picked)
            score = weight * R - (1 - weight) * nearest
        return adjusted

    columns = embeddings, rewards.nan_to_num(0.0), weight, scored, lexical
    return Adjusted.from_rewards(rollouts, index.map(greedy, *columns))


def _best(score: Tensor, among: Tensor) -> Tensor:
    """bool (B, G): the rows of `among` whose score is the group's largest, but for rounding."""
    score = score.masked_fill(~among, -torch.inf)
    return among & (score >= score.amax(1, keepdim=True) - 5e-7)
