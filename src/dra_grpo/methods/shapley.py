"""Shapley values of F(A) = log det M_A, each row's marginal averaged over every order of joining."""

from __future__ import annotations

import torch
from torch import Tensor

from dra_grpo.errors import UsageError


def log_det_factor(matrix: Tensor) -> Tensor:
    """Cholesky factor of (..., G, G), whose log-diagonal, doubled, sums to the log-determinant.

    Raises:
        UsageError: the matrix is not positive definite.
    """
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if failed.any():
        raise UsageError("the volume needs a positive semi-definite kernel; use 'cosine', 'cosine_shifted' or 'rbf'")
    return factor


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
    factors = (log_det_factor(torch.where(inside, group, eye)) for group in matrix)  # one group's 2^G at a time
    F = torch.stack([2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) for factor in factors])
    values = []
    for i in range(G):
        without = subset[~member[:, i]]
        values.append(((F[:, without + 2**i] - F[:, without]) * weight[without].exp()).sum(1))
    return torch.stack(values, 1)


def sampled_shapley(matrix: Tensor, samples: int, numbers: torch.Generator) -> Tensor:
    """The same averaged over `samples` random orders, the same in every group; the sum is F(V) all the same.

    In the order π, row π_t adds 2 log L_tt, L the Cholesky factor of the matrix in that order: one factorisation each.
    """
    total = torch.zeros_like(matrix[..., 0])
    for _ in range(samples):
        order = torch.randperm(matrix.shape[-1], generator=numbers, device="cpu").to(matrix.device)
        factor = log_det_factor(matrix[:, order][:, :, order])
        total[:, order] += 2 * factor.diagonal(dim1=-2, dim2=-1).log()
    return total / samples
