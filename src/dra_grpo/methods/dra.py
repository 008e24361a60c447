"""DRA: divide each reward by 1 + its Submodular Mutual Information with the group (arXiv 2505.09655)."""

from __future__ import annotations

import warnings
from typing import Literal

from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, redundancy
from dra_grpo.errors import UsageError
from dra_grpo.methods.weights import gated, normalized, ordered, signed


def dra(
    rollouts: Rollouts,
    value: Tensor | None = None,
    *,
    smi: str = "graph_cut",
    kernel: str = "cosine",
    jitter: float = 1e-3,
    clamp: bool = True,
    correct_only: bool = False,
    negative: Literal["scale", "keep", "mirror"] = "scale",
    wrong: Literal["scale", "keep"] = "scale",
    normalize: Literal["mean"] | None = None,
    min_spread: float | None = None,
    std_floor: float = 0.0,
) -> Adjusted:
    """R̃_i = R_i / (1 + SMI_i): copies lose weight, rare completions keep theirs.

    Args:
        rollouts: with embeddings (N, D).
        value: SMI (N,) measured elsewhere, in place of the embeddings' (the controls use this).
        smi, kernel, jitter: see `dra_grpo.core.redundancy`.
        clamp: SMI ← max(0, SMI), so that the weight is in (0, 1]; False is the formula verbatim.
        correct_only: only correct completions count as company.
        negative: what becomes of R < 0. "scale" is the formula, which punishes a repeated mistake less than a new;
            "keep" leaves it; "mirror" is R·(2 − min(w, 1)), so that redundancy is never an advantage.
        wrong: what becomes of R ≥ 0 that a wrong completion has from its format. "scale" is the formula, under which a
            different wrong one may beat copies of a correct one; "keep" leaves it, and lifts correct ones to it.
        normalize: "mean" rescales each group's weights to a mean of 1 over its correct completions, so that a gain is
            not a hidden change of learning rate; a group without a correct completion keeps weight 1.
        min_spread: an all-correct group whose mean similarities differ by less (`similarity_spread`, in units of
            similarity) keeps weight 1: set it to what a paraphrase moves your embedder.
        std_floor: not applied here, where nothing is divided by σ: the engine divides by max(σ, std_floor) + eps, as
            `grpo_advantages(..., std_floor=)` does, so that weights alone never become full-size advantages.

    Returns:
        `Adjusted` at the reward stage; `rewards` is always `R · weights`.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> import torch
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> dra(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([0.3448, 0.3704, 0.0000, 0.6250])

    Source: arXiv 2505.09655, R̃(q, o_i) = R(q, o_i) / (1 + Σ_j s(o_i, o_j)).
    """
    if std_floor < 0:
        raise UsageError(f"std_floor must be 0 or more, in units of the reward; got {std_floor}")
    if value is None:
        value = redundancy(rollouts, smi=smi, kernel=kernel, jitter=jitter, clamp=clamp, correct_only=correct_only)
    if not clamp and (1 + value <= 0).any():
        warnings.warn(
            "1 + SMI is zero or negative for some completions: their weight is infinite or changes the reward's sign; "
            "clamp=True keeps it in (0, 1]",
            stacklevel=2,
        )
    weights = gated(rollouts, 1 / (1 + value), min_spread, kernel)
    weights = signed(rollouts, normalized(rollouts, weights, normalize), negative)
    return Adjusted.from_weights(rollouts, ordered(rollouts, weights, wrong), value)
