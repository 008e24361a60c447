"""How much each completion repeats its group: kernel and SMI put together over flat, ragged rollouts."""

from __future__ import annotations

import torch
from torch import Tensor

from dra_grpo.core.groups import group_max
from dra_grpo.core.rollouts import Rollouts
from dra_grpo.core.similarity import KERNELS, set_diagonal
from dra_grpo.core.smi import SMI, graph_cut_of_rows, logdet
from dra_grpo.errors import UsageError

LINEAR_KERNELS = ("cosine", "cosine_shifted")
"""Kernels whose graph cut is an inner product with the group's sum: O(N·D), no pairwise matrix."""


def redundancy(
    rollouts: Rollouts,
    *,
    smi: str = "graph_cut",
    kernel: str = "cosine",
    jitter: float = 1e-3,
    clamp: bool = True,
    correct_only: bool = False,
) -> Tensor:
    """SMI of each row with the scored rows of its group.

    Args:
        rollouts: with embeddings (N, D).
        smi: "graph_cut", "logdet" or "facility_location".
        kernel: "cosine", "cosine_clamped", "cosine_shifted", "prompt_centred" or "rbf". Centring forces 1 + Σcos
            towards 0, so `prompt_centred` clamps each pair, except under "logdet", which needs the unclamped matrix.
        jitter: see `logdet`.
        clamp: SMI ← max(0, SMI).
        correct_only: only correct rows count as company.

    Returns:
        (N,); 0 for unscorable rows, which take no part.

    Raises:
        ValueError: an unknown name, no embeddings, or `logdet` on a kernel that is not positive semi-definite.
    """
    _check_choice("smi", smi, SMI)
    _check_choice("kernel", kernel, KERNELS)
    if smi == "logdet" and kernel == "cosine_clamped":
        raise UsageError(
            "smi='logdet' needs a positive semi-definite kernel and 'cosine_clamped' is not one; "
            "use kernel='cosine', 'cosine_shifted', 'prompt_centred' or 'rbf'"
        )
    index, scored = rollouts.index, rollouts.scored
    company = rollouts.is_correct if correct_only else scored
    rows = _scored_rows(rollouts)
    if smi == "graph_cut" and kernel in LINEAR_KERNELS:
        value = graph_cut_of_rows(rows, index.group, len(index.size), company)
        if kernel == "cosine_shifted":
            others = index.sum(company.to(value.dtype))[index.group] - company.to(value.dtype)
            value = (value + others) / 2
    else:
        value = index.unpad(
            _pairwise(index.pad(rows), index.pad(scored, False), index.pad(company, False), smi, kernel, jitter)
        )
    value = torch.where(scored, value, 0.0).to(rollouts.precise_rewards.dtype)
    return value.clamp(min=0) if clamp else value


def group_similarity(rollouts: Rollouts, kernel: str = "cosine") -> Tensor:
    """(B, G, G) similarities of the padded groups; rows without a score are similar to nothing but themselves."""
    _check_choice("kernel", kernel, KERNELS)
    scored = rollouts.index.pad(rollouts.scored, False)
    similarity = KERNELS[kernel](rollouts.index.pad(_scored_rows(rollouts)), scored)
    return set_diagonal(similarity.masked_fill(~(scored[..., :, None] & scored[..., None, :]), 0.0))


def similarity_spread(rollouts: Rollouts, kernel: str = "cosine") -> Tensor:
    """max_i s̄_i − min_i s̄_i of each group, s̄_i = Σ_{j≠i} S_ij / (n − 1) the mean similarity of row i to the others.

    In units of similarity whatever the SMI function, and linear in the rows where the kernel is.

    Args:
        rollouts: with embeddings (N, D).
        kernel: see `redundancy`.

    Returns:
        (B,); 0 for groups of fewer than two scored rows.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> similarity_spread(Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings))
        tensor([0.5000])
    """
    index, scored = rollouts.index, rollouts.scored
    total = redundancy(rollouts, smi="graph_cut", kernel=kernel, clamp=False)
    count = index.sum(scored.to(total.dtype))
    mean = total / (count - 1).clamp(min=1)[index.group]
    spread = group_max(index, mean, scored) + group_max(index, -mean, scored)
    return torch.where(count > 1, spread, 0.0)


def _scored_rows(rollouts: Rollouts) -> Tensor:
    if rollouts.embeddings is None:
        raise UsageError("similarity needs embeddings, which the rollouts do not carry; give Rollouts(embeddings=...)")
    if rollouts.scored.all():
        return rollouts.embeddings
    return rollouts.embeddings.masked_fill(~rollouts.scored[:, None], 0.0)


def _pairwise(rows: Tensor, scored: Tensor, company: Tensor, smi: str, kernel: str, jitter: float) -> Tensor:
    if smi == "logdet":  # it magnifies float32's rounding of near-copies into the third digit
        rows = rows if rows.device.type == "mps" else rows.double()
        return logdet(KERNELS[kernel](rows, scored), jitter, company)
    similarity = KERNELS[kernel](rows, scored)
    if kernel == "prompt_centred":
        similarity = similarity.clamp(min=0)
    return SMI[smi](similarity, company)


def _check_choice(option: str, value: str, known: dict) -> None:
    if value not in known:
        raise UsageError(f"unknown {option} {value!r}; expected one of {', '.join(map(repr, known))}")
