"""How much each completion repeats its group: kernel and SMI put together over flat, ragged rollouts."""

import torch
from torch import Tensor

from dra_grpo.core.groups import group_max
from dra_grpo.core.rollouts import Rollouts
from dra_grpo.core.similarity import KERNELS, Kernel, set_diagonal
from dra_grpo.core.smi import SMI, Smi, graph_cut_of_rows, logdet
from dra_grpo.errors import UsageError

LINEAR_FROM = 512
"""G·D from which the inner product with the group's sum is faster than the pairwise matrix."""


def redundancy(
    rollouts: Rollouts,
    *,
    smi: Smi = "graph_cut",
    kernel: Kernel = "cosine",
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
        ValueError: no embeddings, or `logdet` on a kernel that is not positive semi-definite.
    """
    if smi == "logdet" and kernel == "cosine_clamped":
        found = "smi='logdet' needs a positive semi-definite kernel and 'cosine_clamped' is not one"
        raise UsageError(f"{found}; use kernel='cosine', 'cosine_shifted', 'prompt_centred' or 'rbf'")
    company = rollouts.is_correct if correct_only else rollouts.scored

    def measured(x: Tensor, scored: Tensor, company: Tensor) -> Tensor:
        linear = smi == "graph_cut" and kernel in ("cosine", "cosine_shifted")
        if linear and x.shape[1] > 1 and x[0].numel() >= LINEAR_FROM:
            value = graph_cut_of_rows(x, company)
            others = company.sum(-1, keepdim=True) - company.long()
            return value if kernel == "cosine" else (value + others) / 2
        if smi == "logdet" and x.device.type != "mps":
            x = x.double()  # it magnifies float32's rounding of near-copies into the third digit
        similarity = KERNELS[kernel](x, scored)
        among = None if company.all() else company
        if smi == "logdet":
            return logdet(similarity, jitter, among)
        return SMI[smi](similarity.clamp(min=0) if kernel == "prompt_centred" else similarity, among)

    value = rollouts.index.map(measured, rollouts.scored_embeddings, rollouts.scored, company)
    value = torch.where(rollouts.scored, value, 0.0).to(rollouts.precise_rewards.dtype)
    return value.clamp(min=0) if clamp else value


def group_similarity(embeddings: Tensor, scored: Tensor, kernel: Kernel = "cosine") -> Tensor:
    """Similarities of padded groups; rows without a score are similar to nothing but themselves.

    Args:
        embeddings: (B, G, D).
        scored: bool (B, G).
        kernel: see `redundancy`.

    Returns:
        (B, G, G).
    """
    similarity = KERNELS[kernel](embeddings, scored)
    return set_diagonal(similarity.masked_fill(~(scored[..., :, None] & scored[..., None, :]), 0.0))


def similarity_spread(rollouts: Rollouts, kernel: Kernel = "cosine") -> Tensor:
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
