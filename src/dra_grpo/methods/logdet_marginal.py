"""Credit for what a completion adds to its group's quality-weighted volume (arXiv 2605.11461 and its kin)."""

from typing import Literal

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, group_similarity
from dra_grpo.core.combinatorics import generator

EXACT = 10
"""Largest G whose 2^G subsets are enumerated for Shapley values; in larger groups they are sampled."""


def logdet_marginal(
    rollouts: Rollouts,
    *,
    credit: Literal["leave_one_out", "shapley"] = "leave_one_out",
    kernel: Literal["cosine", "cosine_shifted", "prompt_centred", "rbf"] = "cosine",
    samples: int = 256,
    seed: int = 0,
    step: int = 0,
) -> Adjusted:
    """R̃_i = F(V) − F(V∖i), or i's Shapley value; F(A) = log det(I + K_A), K = diag(√q) S diag(√q), q = max(R, 0).

    Args:
        rollouts: with embeddings (N, D).
        credit: "leave_one_out", by one factorisation −log [(I + K)⁻¹]_ii; or "shapley", whose values sum to F(V).
        kernel: positive semi-definite; see `dra_grpo.core.redundancy`.
        samples: orders that estimate Shapley values in groups of more than `EXACT` rows.
        seed, step: of those orders, which are drawn over places in the group; whoever calls counts `step` up with
            every generation.

    Returns:
        `Adjusted` at the reward stage. A reward below 0 has no volume and stays; so does the R of a group of one.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> logdet_marginal(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([0.4593, 0.4668, 0.0000, 0.6831])

    Source: the family of arXiv 2509.04784 (the group's log det), 2602.01062 (leave-one-out) and 2605.11461 (average
    marginal contribution to a reward-weighted determinant), in our own notation.
    """
    index, rewards = rollouts.index, rollouts.precise_rewards

    def marginal(embeddings: Tensor, rewards: Tensor, scored: Tensor) -> Tensor:
        S = group_similarity(embeddings, scored, kernel)
        S = S if S.device.type == "mps" else S.double()
        root, one = rewards.clamp(min=0).sqrt().to(S.dtype), torch.eye(S.shape[-1], dtype=S.dtype, device=S.device)
        volume = one + root[:, :, None] * S * root[:, None, :]
        if credit == "leave_one_out":
            return -torch.cholesky_inverse(torch.linalg.cholesky(volume)).diagonal(dim1=-2, dim2=-1).log()
        return shapley(volume) if len(one) <= EXACT else sampled_shapley(volume, samples, generator(seed, step))

    found = index.map(marginal, rollouts.scored_embeddings, rewards.nan_to_num(0.0), rollouts.scored)
    adjusted = found.to(rewards.dtype) + rewards.clamp(max=0)
    alone = index.sum(rollouts.scored.int())[index.group] == 1
    return Adjusted.from_rewards(rollouts, torch.where(alone, rewards, adjusted))


def shapley(matrix: Tensor) -> Tensor:
    """φ_i = Σ_{A without i} |A|! (G − |A| − 1)! / G! · (F(A ∪ i) − F(A)), by all 2^G determinants.

    Args:
        matrix: (B, G, G) positive definite, padded places being rows of the identity.

    Returns:
        (B, G), of sum F(V).

    Example:
        >>> shapley(torch.tensor([[[2., 1.], [1., 2.]]]))
        tensor([[0.5493, 0.5493]])
    """
    G = matrix.shape[-1]
    eye = torch.eye(G, dtype=matrix.dtype, device=matrix.device)
    subset = torch.arange(2**G, device=matrix.device)
    member = (subset[:, None] >> torch.arange(G, device=matrix.device) & 1).bool()
    inside = member[:, :, None] & member[:, None, :]
    size = member.sum(1).to(matrix.dtype)
    weight = torch.lgamma(size + 1) + torch.lgamma(G - size) - torch.lgamma(size.new_tensor(G + 1.0))
    F = torch.stack([torch.where(inside, group, eye).logdet() for group in matrix])  # one group's 2^G at a time
    without = [subset[~member[:, i]] for i in range(G)]
    return torch.stack([(F[:, A + 2**i] - F[:, A]) @ weight[A].exp() for i, A in enumerate(without)], 1)


def sampled_shapley(matrix: Tensor, samples: int, numbers: torch.Generator) -> Tensor:
    """The same averaged over `samples` random orders, the same in every group; the sum is F(V) all the same.

    In the order π, row π_t adds 2 log L_tt, L the Cholesky factor of the matrix in that order: one factorisation each.
    """
    # A place's keys are the same however many follow it, so that groups do not know of each other.
    keys = torch.rand(matrix.shape[-1], samples, generator=numbers, device="cpu").argsort(0).to(matrix.device)
    total = torch.zeros_like(matrix[..., 0])
    for order in keys.T:
        factor = torch.linalg.cholesky(matrix[:, order][:, :, order])
        total[:, order] += 2 * factor.diagonal(dim1=-2, dim2=-1).log()
    return total / samples
