"""What one step's adjustment did, as numbers to log."""

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, GroupIndex, Rollouts
from dra_grpo.core.similarity import unit_rows


def step_diagnostics(rollouts: Rollouts, adjusted: Adjusted) -> dict[str, float]:
    """Diagnostics of one adjusted batch, over scored rows; NaN where there is no row to speak of.

    Returns:
        raw_reward, adjusted_reward: mean raw and mean adjusted reward.
        smi: mean SMI, where the method measures one.
        similarity: mean cosine of two completions of a group, with embeddings.
        weight_min, weight_max: extreme weights.
        effective_sample_size: (Σw)² / Σw², mean over groups, in completions.
        raw_zero_variance, adjusted_zero_variance: share of groups whose raw rewards, and whose adjusted rewards or
            advantages, are all equal.
        inversions: wrong completions that end above a correct one of their group, as a count, where it is known which
            are correct.
        distinct_completions: different texts over texts, mean over groups, with texts.
    """
    index, scored = rollouts.index, rollouts.scored
    weights = adjusted.weights[scored]
    square = index.sum(torch.where(scored, adjusted.weights, 0.0).square())
    total = index.sum(torch.where(scored, adjusted.weights, 0.0))
    filled = index.sum(scored.long()) > 0
    found = {
        "raw_reward": rollouts.rewards[scored].mean(),
        "adjusted_reward": adjusted.rewards[scored].mean(),
        "weight_min": weights.min() if len(weights) else torch.tensor(torch.nan),
        "weight_max": weights.max() if len(weights) else torch.tensor(torch.nan),
        "effective_sample_size": (total.square() / square)[filled].mean(),
        "raw_zero_variance": zero_variance(index, rollouts.rewards)[filled].float().mean(),
        "adjusted_zero_variance": zero_variance(index, final(adjusted))[filled].float().mean(),
    }
    if adjusted.measures_smi:
        found["smi"] = adjusted.smi[scored].mean()
    if rollouts.correct is not None:
        found["inversions"] = inversions(rollouts, adjusted).sum()
    if rollouts.embeddings is not None:
        found["similarity"] = mean_similarity(rollouts)
    if rollouts.texts is not None:
        different = {*zip(index.group.tolist(), rollouts.texts, strict=True)}
        counts = torch.bincount(torch.tensor([group for group, _ in different]), minlength=len(index.size))
        found["distinct_completions"] = (counts / index.size.cpu()).mean()
    return {name: value.item() for name, value in found.items()}


def final(adjusted: Adjusted) -> Tensor:
    """(N,): what the policy is trained on: advantages where the method gives them, else adjusted rewards."""
    return adjusted.rewards if adjusted.advantages is None else adjusted.advantages


def zero_variance(index: GroupIndex, values: Tensor) -> Tensor:
    """bool (B,): all values of the group that are numbers are equal, but for rounding."""
    padded = index.pad(values.double(), torch.nan)
    low = padded.nan_to_num(torch.inf).amin(1)
    high = padded.nan_to_num(-torch.inf).amax(1)
    return high - low <= 1e-6 * torch.maximum(high.abs(), low.abs())


def inversions(rollouts: Rollouts, adjusted: Adjusted) -> Tensor:
    """bool (N,): a wrong completion that ends above a correct one of its group, by advantage where there is one."""
    index = rollouts.index
    values = final(adjusted)
    lowest_correct = index.pad(torch.where(rollouts.is_correct, values, torch.inf), torch.inf).amin(1)
    return rollouts.scored & ~rollouts.is_correct & (values > lowest_correct[index.group])


def mean_similarity(rollouts: Rollouts) -> Tensor:
    """Mean over groups of two or more of the mean cosine of two different completions, in O(N·D)."""
    assert rollouts.embeddings is not None
    index, scored = rollouts.index, rollouts.scored
    u = unit_rows(torch.where(scored[:, None], rollouts.embeddings, 0.0))
    n = index.sum(scored.to(u.dtype))
    pairs = index.sum(u).square().sum(-1) - index.sum(u.square().sum(-1))
    return (pairs / (n * (n - 1)))[n > 1].mean()
