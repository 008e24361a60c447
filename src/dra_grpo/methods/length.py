"""Control: DRA on how long the texts are, and on nothing else of them."""

from __future__ import annotations

from typing import Any, Literal

import torch

from dra_grpo.core import SMI, Adjusted, Rollouts
from dra_grpo.errors import UsageError
from dra_grpo.methods.dra import dra
from dra_grpo.methods.method import given
from dra_grpo.methods.weights import matched, ordered, signed


def length(
    rollouts: Rollouts,
    *,
    smi: str = "graph_cut",
    correct_only: bool = False,
    negative: Literal["scale", "keep", "mirror"] = "scale",
    wrong: Literal["scale", "keep"] = "scale",
    normalize: Literal["mean"] | None = None,
    match: bool = True,
) -> Adjusted:
    """DRA with S_ij = min(l_i, l_j) / max(l_i, l_j), l = 1 + characters: does DRA see more than length?

    Args:
        rollouts: with texts, and embeddings where `match`.
        smi, correct_only, negative, wrong, normalize: as for `dra`.
        match: rescale each group's weights to the mean weight that `dra` with the same options gives its correct rows
            (its scored rows where none is correct), so that the arms differ in who is weighted and not in how much.
            The rules for negative and wrong rewards come after it, so that what they keep is kept.

    Returns:
        `Adjusted` at the reward stage.

    Raises:
        ValueError: an unknown choice.

    Example:
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), texts=["abc", "xyz", "1234567"])
        >>> length(rollouts, match=False).weights
        tensor([0.4000, 0.4000, 0.5000])

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control; the kernel is exp(−|log l_i − log l_j|).
    """
    if smi not in SMI:
        raise UsageError(f"unknown smi {smi!r}; expected one of {', '.join(map(repr, SMI))}")
    index, scored = rollouts.index, rollouts.scored
    characters = torch.tensor([1.0 + len(text) for text in given(rollouts, "texts")], device=rollouts.rewards.device)
    log = index.pad(characters.to(rollouts.precise_rewards.dtype)).clamp(min=1).log()
    similarity = torch.exp(-(log[:, :, None] - log[:, None, :]).abs())
    company = rollouts.is_correct if correct_only else scored
    value = torch.where(scored, index.unpad(SMI[smi](similarity, company=index.pad(company, False))), 0.0)
    options = {"smi": smi, "correct_only": correct_only, "normalize": normalize}
    weights = dra(rollouts, value, **options).weights
    if match:
        weights = matched(rollouts, weights, dra(rollouts, **options).weights)
    weights = ordered(rollouts, signed(rollouts, weights, negative), wrong)
    return Adjusted.from_weights(rollouts, weights, value)


def length_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """Texts, and embeddings if their mean weight is to be matched."""
    return ("texts", "embeddings") if options["match"] else ("texts",)
