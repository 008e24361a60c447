"""Similarity kernels: embeddings (..., G, D) to similarity (..., G, G)."""

from typing import Literal

import torch
from torch import Tensor


def unit_rows(embeddings: Tensor) -> Tensor:
    """u_i = x_i / ‖x_i‖, and 0 for a zero vector.

    Args:
        embeddings: (..., D), any float dtype; computed in at least float32.

    Returns:
        (..., D) rows of norm 1 or 0; its gradient at a zero vector is 0, not NaN.
    """
    x, norm = rows_and_norms(embeddings)
    return x / norm


def rows_and_norms(embeddings: Tensor) -> tuple[Tensor, Tensor]:
    """(..., D) rows in at least float32, and their norms (..., 1), infinite for a zero vector.

    Where a norm's square could leave float32's range, all rows are divided by their largest entry first.
    """
    x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    if ((norm < 1e-15) | (norm > 1e15)).any() and x.shape[-1]:
        largest = x.detach().abs().amax(-1, keepdim=True)
        x = x / torch.where(largest == 0, torch.inf, largest)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x, torch.where(norm == 0, torch.inf, norm)


def set_diagonal(similarity: Tensor, value: float = 1.0) -> Tensor:
    """(..., G, G) with every S_ii = value."""
    eye = torch.eye(similarity.shape[-1], dtype=torch.bool, device=similarity.device)
    return similarity.masked_fill(eye, value)


def cosine_similarity(embeddings: Tensor) -> Tensor:
    """S_ij = x_i·x_j / (‖x_i‖‖x_j‖), unclamped, S_ii = 1; a zero vector is similar to nothing but itself.

    Args:
        embeddings: (..., G, D).

    Returns:
        (..., G, G), at least float32.

    Example:
        >>> cosine_similarity(torch.tensor([[1., 0.], [1., 1.], [0., 0.]]))
        tensor([[1.0000, 0.7071, 0.0000],
                [0.7071, 1.0000, 0.0000],
                [0.0000, 0.0000, 1.0000]])
    """
    x, norm = rows_and_norms(embeddings)
    G, D = x.shape[-2:]
    with torch.autocast(x.device.type, enabled=False):  # autocast would multiply in 16 bits
        if G < D:  # dividing whichever is smaller, products or rows
            return set_diagonal(x @ x.mT / norm / norm.mT)
        u = x / norm
        return set_diagonal(u @ u.mT)


def cosine_clamped(embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
    """max(0, cos_ij): opposite is no more different than orthogonal. Not positive semi-definite."""
    return cosine_similarity(embeddings).clamp(min=0)


def cosine_shifted(embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
    """(1 + cos_ij) / 2: in [0, 1], positive semi-definite, and still linear in the rows."""
    return set_diagonal((1 + cosine_similarity(embeddings)) / 2)


def prompt_centred(embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
    """cos(x_i − x̄, x_j − x̄), x̄ the group's mean: what the prompt gives all its completions does not count as likeness.

    Rows nearer to the mean than 1e-5 of the group's largest norm are zero vectors: what centring leaves is rounding.

    Args:
        embeddings: (..., G, D).
        mask: bool (..., G), the rows that take part in the mean; None for all.
    """
    x = _at_unit_scale(embeddings)
    taking_part = torch.ones_like(x[..., :1]) if mask is None else mask[..., None].to(x.dtype)
    mean = (x * taking_part).sum(-2, keepdim=True) / taking_part.sum(-2, keepdim=True).clamp(min=1)
    centred = x - mean
    at_mean = centred.norm(dim=-1, keepdim=True) <= 1e-5 * x.norm(dim=-1, keepdim=True).amax(-2, keepdim=True)
    return cosine_similarity(torch.where(at_mean, 0.0, centred))


def rbf(embeddings: Tensor, mask: Tensor | None = None) -> Tensor:
    """exp(−d²_ij / 2σ²), σ the median distance between two of the group's rows (the median heuristic).

    Of an even number of distances the median is the lower of the two in the middle. Where it is 0 (most rows are
    copies) the limit is taken: 1 for copies, 0 otherwise. Gradients treat σ as a constant.

    Args:
        embeddings: (..., G, D).
        mask: bool (..., G), the rows whose distances count for the median; None for all.
    """
    x = _at_unit_scale(embeddings)
    # Not through x·x: copies must come out at distance 0 exactly.
    square = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").square()
    pair = torch.ones_like(square, dtype=torch.bool).triu(1)
    if mask is not None:
        pair = pair & mask[..., :, None] & mask[..., None, :]
    distance = torch.where(pair, square.detach(), torch.nan).flatten(-2)
    variance = distance.nanmedian(-1).values.nan_to_num(0.0)[..., None, None]
    kernel = torch.exp(-square / (2 * torch.where(variance > 0, variance, 1.0)))
    return set_diagonal(torch.where(variance > 0, kernel, (square == 0).to(kernel.dtype)))


def _at_unit_scale(embeddings: Tensor) -> Tensor:
    """(..., G, D) divided by each group's largest entry, so that squares stay within float32; centred cosines and the
    RBF kernel do not depend on the scale."""
    x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
    largest = x.detach().abs().amax((-2, -1), keepdim=True)
    return x / torch.where(largest == 0, 1.0, largest)


Kernel = Literal["cosine", "cosine_clamped", "cosine_shifted", "prompt_centred", "rbf"]

KERNELS = {"cosine": lambda embeddings, mask=None: cosine_similarity(embeddings)}
KERNELS |= {kernel.__name__: kernel for kernel in (cosine_clamped, cosine_shifted, prompt_centred, rbf)}
"""name -> (embeddings (..., G, D), mask (..., G) or None) -> similarity (..., G, G)."""
