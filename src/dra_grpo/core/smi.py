"""Submodular Mutual Information of one completion with the rest of its group: (..., G, G) -> (..., G).

`I_f(i; A) = f({i}) + f(A) − f(A ∪ {i})`, A the company of row i: the other rows that count. Every function here takes
the company as a mask, so that padded, unscorable and (if wanted) wrong completions have no say.
"""

from typing import Literal

import torch
from torch import Tensor

from dra_grpo.core.similarity import rows_and_norms, set_diagonal
from dra_grpo.errors import UsageError


def graph_cut(similarity: Tensor, company: Tensor | None = None) -> Tensor:
    """SMI_i = Σ_{j≠i} S_ij.

    Args:
        similarity: (..., G, G), symmetric.
        company: bool (..., G), the rows that count as company; None for all.

    Returns:
        (..., G), not clamped: negative similarities may make it negative.

    Raises:
        ValueError: `similarity` is not square.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> 1 / (1 + graph_cut(S))
        tensor([0.3448, 0.3704, 0.3571, 0.6250])

    Source: DRA-GRPO, arXiv 2505.09655, R̃ = R / (1 + Σ_j s(o_i, o_j)), the graph cut at λ = ½.
    """
    others = set_diagonal(_checked(similarity), 0.0)
    return (others if company is None else others.masked_fill(~company[..., None, :], 0.0)).sum(-1)


def graph_cut_of_rows(embeddings: Tensor, company: Tensor) -> Tensor:
    """Graph cut of cosines in O(G·D): SMI_i = u_i · Σ_{j in company} u_j − [i in company], u unit rows.

    The pairwise matrix is never formed: the sum of a row's cosines is its inner product with its group's sum.

    Args:
        embeddings: (..., G, D).
        company: bool (..., G).

    Returns:
        (..., G), what `graph_cut(cosine_similarity(...), company)` gives; exactly 0 for a row without company.
    """
    x, norm = rows_and_norms(embeddings)
    counted = company[..., None] / norm
    with torch.autocast(x.device.type, enabled=False):
        value = x @ (counted.mT @ x).mT / norm
    value = (value - (counted > 0).to(x.dtype))[..., 0]
    return torch.where(company.sum(-1, keepdim=True) > company, value, 0.0)


def logdet(similarity: Tensor, jitter: float = 1e-3, company: Tensor | None = None) -> Tensor:
    """SMI_i = log det S_ii + log det S_A − log det S_{A∪i} = log(S_ii · [S⁻¹]_ii), S with `jitter` on its diagonal.

    One Cholesky factorisation a group gives every row, in float64 where the device has it. It magnifies an error in S
    up to G/jitter times, so near-copies want cosines in float64 too: `redundancy` and `adjust_rewards` see to that.

    Args:
        similarity: (..., G, G), symmetric positive semi-definite (cosines unclamped).
        jitter: added to the diagonal. Copies make S singular, so its value is part of the result: four copies have an
            SMI of 13.5 at 1e-6, 6.6 at 1e-3 and 2.1 at 0.1.
        company: bool (..., G), the rows that count as company; None for all.

    Returns:
        (..., G), ≥ 0.

    Raises:
        ValueError: `similarity` is not square, or not positive definite with this jitter.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> logdet(S)
        tensor([2.0136, 1.6884, 1.0772, 0.1296])

    Source: DRA-GRPO, arXiv 2505.09655, LogDet SMI; the identity by det S_A / det S_{A∪i} = [S⁻¹]_ii (Cramer's rule).
    """
    similarity = _checked(similarity)
    precise = similarity if similarity.device.type == "mps" else similarity.double()
    one = torch.eye(similarity.shape[-1], dtype=precise.dtype, device=precise.device)
    jittered = precise + jitter * one
    within = jittered if company is None else torch.where(company[..., None] & company[..., None, :], jittered, one)
    factor, failed = torch.linalg.cholesky_ex(within)
    if failed.any():
        found = f"logdet needs a finite and positive definite similarity, which it is not with jitter {jitter:g} added"
        raise UsageError(f"{found}: raise jitter, or use unclamped cosines")
    own = jittered.diagonal(dim1=-2, dim2=-1)
    if company is None:
        inverse = torch.cholesky_inverse(factor).diagonal(dim1=-2, dim2=-1)
        return (own * inverse).log().clamp(min=0).to(similarity.dtype)
    # Columns of L⁻¹ have the squared norms [S_A⁻¹]_ii; columns of L⁻¹S_A· have what A explains of each row outside it.
    right = torch.where(company[..., None, :], one, jittered * company[..., None])
    square = torch.linalg.solve_triangular(factor, right, upper=False).square().sum(-2)
    # Rounding may leave this at or below 0 for a copy of company where jitter is tiny.
    unexplained = (1 - square / own).clamp(min=torch.finfo(precise.dtype).eps)
    smi = torch.where(company, (own * square).where(company, 1.0).log(), -unexplained.where(~company, 1.0).log())
    return smi.clamp(min=0).to(similarity.dtype)


def facility_location(similarity: Tensor, company: Tensor | None = None) -> Tensor:
    """SMI_i = f({i}) + f(A) − f(A ∪ {i}) with f(X) = Σ_v max_{j∈X} S_vj, v over A ∪ {i}.

    That is Σ_v min(S_vi, max_{j∈A} S_vj), and taking row i out changes max_j S_vj only where i is v's nearest, then to
    the second nearest: the two largest entries of each row give every i without a loop. With a unit diagonal that no
    entry exceeds it equals `graph_cut(S)_i + max_{j≠i} S_ij`: no independent third measure.

    Args:
        similarity: (..., G, G), symmetric.
        company: bool (..., G), the rows that count as company; None for all.

    Returns:
        (..., G); 0 for a row without company.

    Raises:
        ValueError: `similarity` is not square.

    Example:
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> facility_location(S)
        tensor([2.8000, 2.6000, 2.6000, 0.9000])

    Source: DRA-GRPO, arXiv 2505.09655; facility location mutual information of Iyer et al., 2021.
    """
    similarity = _checked(similarity)
    company = torch.ones_like(similarity[..., 0], dtype=torch.bool) if company is None else company
    lowest = torch.finfo(similarity.dtype).min
    of_company = similarity.masked_fill(~company[..., None, :], lowest)
    nearest, index = of_company.max(-1, keepdim=True)
    second = of_company.scatter(-1, index, lowest).amax(-1, keepdim=True)
    without_i = nearest.expand_as(similarity).scatter(-1, index, second)
    covered = torch.minimum(similarity, without_i)
    own = torch.eye(similarity.shape[-1], dtype=torch.bool, device=similarity.device)
    has_company = company.sum(-1, keepdim=True) > company
    return torch.where((company[..., None] | own) & has_company[..., None, :], covered, 0.0).sum(-2)


Smi = Literal["graph_cut", "logdet", "facility_location"]

SMI = {"graph_cut": graph_cut, "logdet": logdet, "facility_location": facility_location}
"""name -> (similarity (..., G, G), company=(..., G)) -> SMI (..., G)."""


def _checked(similarity: Tensor) -> Tensor:
    """`similarity` in at least float32, if it is square."""
    if similarity.dim() < 2 or similarity.shape[-1] != similarity.shape[-2]:
        raise UsageError(f"similarity must be square, shape (..., G, G); got {tuple(similarity.shape)}")
    return similarity.to(torch.promote_types(similarity.dtype, torch.float32))
