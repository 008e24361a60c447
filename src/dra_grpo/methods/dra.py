"""DRA: divide each reward by 1 + its Submodular Mutual Information with the group (arXiv 2505.09655)."""

import warnings
from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, redundancy
from dra_grpo.core.groups import group_max
from dra_grpo.core.redundancy import similarity_spread
from dra_grpo.core.similarity import Kernel

DRA_ROBUST = {
    "clamp": True,  # 1 + SMI ≥ 1: negative cosines can neither blow a weight up nor turn its sign
    "correct_only": True,  # a wrong answer's likeness says nothing about a correct one's redundancy
    "negative": "mirror",  # the formula divides penalties too, so that copies of a mistake are punished least
    "wrong": "keep",  # with a format reward the formula lets a different wrong answer beat copies of a correct one
    "normalize": "mean",  # a gain is not a hidden learning rate, and all-wrong groups keep weight 1
    "min_spread": 0.02,  # an all-correct group that differs less than paraphrases do has nothing to tell
    "std_floor": 0.1,  # weights that differ by 0.5% give advantages of ±0.05, where σ alone makes them ±1.2
}
"""Options of `dra` that close every known trap. The last two are in units of similarity and of the reward. 0.02 suits
sentence encoders; other embedders: benchmarks/paraphrase_spread.py. With rewards of 0 and 1, one correct completion
among 64 makes σ = 0.125, so that the floor touches no group that GRPO learns from."""


def dra(
    rollouts: Rollouts,
    value: Tensor | None = None,
    target: Tensor | None = None,
    *,
    negative: Literal["scale", "keep", "mirror"] = "scale",
    wrong: Literal["scale", "keep"] = "scale",
    normalize: Literal["mean"] | None = None,
    min_spread: float | None = None,
    std_floor: float = 0.0,
    **similarity: Any,
) -> Adjusted:
    """R̃_i = R_i / (1 + SMI_i): copies lose weight, rare completions keep theirs.

    Args:
        rollouts: with embeddings (N, D).
        value: SMI (N,) measured elsewhere, in place of the embeddings'; the controls use this and the next.
        target: weights (N,) to whose group means the weights are `matched`, before the rules for negative and wrong
            rewards, so that what they keep is kept.
        negative: what becomes of R < 0. "scale" is the formula, which punishes a repeated mistake less than a new;
            "keep" leaves it; "mirror" is R·(2 − min(w, 1)), so that redundancy is never an advantage.
        wrong: what becomes of R ≥ 0 that a wrong completion has from its format. "scale" is the formula, under which a
            different wrong one may beat copies of a correct one; "keep" leaves it, and lifts correct ones to it.
        normalize: "mean" rescales each group's weights to a mean of 1 over its correct completions, so that a gain is
            not a hidden change of learning rate; a group without a correct completion keeps weight 1.
        min_spread: an all-correct group whose mean similarities differ by less (`similarity_spread`, in units of
            similarity) keeps weight 1: set it to what a paraphrase moves your embedder.
        std_floor: least σ that `Adjusted.to_advantages` divides the rewards by, so that weights alone never become
            full-size advantages.
        **similarity: options of `dra_grpo.core.redundancy`: `smi`, `kernel`, `jitter`, `correct_only` and `clamp`,
            under which the weight is in (0, 1]; `clamp=False` is the formula verbatim.

    Returns:
        `Adjusted` at the reward stage; `rewards` is always `R · weights`.

    Example:
        >>> import torch
        >>> S = torch.tensor([[1., .9, .8, .2], [.9, 1., .7, .1], [.8, .7, 1., .3], [.2, .1, .3, 1.]])
        >>> rewards, groups = torch.tensor([1., 1., 0., 1.]), torch.zeros(4, dtype=torch.long)
        >>> dra(Rollouts(rewards, groups, torch.linalg.cholesky(S))).rewards
        tensor([0.3448, 0.3704, 0.0000, 0.6250])

    Source: arXiv 2505.09655, R̃(q, o_i) = R(q, o_i) / (1 + Σ_j s(o_i, o_j)).
    """
    if value is None:
        value = redundancy(rollouts, **similarity)
    if (1 + value <= 0).any():
        warnings.warn(
            "1 + SMI is zero or negative for some completions: their weight is infinite or changes the reward's sign; "
            "clamp=True keeps it in (0, 1]",
            stacklevel=2,
        )
    weights = 1 / (1 + value)
    if min_spread is not None:
        weights = gated(rollouts, weights, min_spread, similarity.get("kernel", "cosine"))
    if normalize == "mean":
        mean = rollouts.index.mean(weights, rollouts.is_correct)[rollouts.index.group]
        weights = torch.where(mean.isnan(), 1.0, weights / mean)
    if target is not None:
        weights = matched(rollouts, weights, target)
    below_0 = {"scale": weights, "keep": torch.ones_like(weights), "mirror": 2 - weights.clamp(max=1)}
    weights = torch.where(rollouts.rewards < 0, below_0[negative], weights)
    if wrong == "keep":
        weights = ordered(rollouts, weights)
    return Adjusted.from_weights(rollouts, weights, value, std_floor)


def gated(rollouts: Rollouts, weights: Tensor, min_spread: float, kernel: Kernel) -> Tensor:
    """Weights (N,), 1 throughout the all-correct groups whose `similarity_spread` is below `min_spread`."""
    index = rollouts.index
    has_wrong = index.sum((rollouts.scored & ~rollouts.is_correct).int()) > 0
    noise = ~has_wrong & (similarity_spread(rollouts, kernel) < min_spread)
    return torch.where(noise[index.group], 1.0, weights)


def ordered(rollouts: Rollouts, weights: Tensor) -> Tensor:
    """Weights (N,) under which wrong rows keep an R ≥ 0, and no correct row falls below one."""
    rewards, index, correct = rollouts.precise_rewards, rollouts.index, rollouts.is_correct
    best_wrong = group_max(index, rewards, rollouts.scored & ~correct)[index.group]
    lifted = torch.minimum(rewards, best_wrong).clamp(min=0) / torch.where(rewards > 0, rewards, 1.0)
    weights = torch.where(correct & (rewards > 0), torch.maximum(weights, lifted), weights)
    return torch.where(~correct & (rewards >= 0), 1.0, weights)


def matched(rollouts: Rollouts, weights: Tensor, target: Tensor) -> Tensor:
    """Weights (N,) rescaled to `target`'s mean over each group's correct rows (scored rows where none is correct)."""
    index, correct = rollouts.index, rollouts.is_correct
    without = index.sum(correct.int())[index.group] == 0
    rows = correct | (without & rollouts.scored)
    return weights * (index.mean(target, rows) / index.mean(weights, rows))[index.group]
