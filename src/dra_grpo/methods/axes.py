"""Two axes: an advantage is a weight of the prompt times a share within the group."""

import warnings
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, GroupIndex, Rollouts, grpo_advantages, redundancy
from dra_grpo.core.advantages import Scale
from dra_grpo.core.groups import group_max
from dra_grpo.errors import UsageError
from dra_grpo.methods.clusters import cluster_fields, cluster_size
from dra_grpo.methods.options import parameters
from dra_grpo.methods.pass_at_k import pass_at_k
from dra_grpo.methods.pkpo import pkpo

Across = Literal["grpo", "maxrl", "pass_at_k", "pkpo", "pkpo-loo"]
Shares = Literal["equal", "dra", "clusters", "propensity"]


def axes_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """The fields of `Rollouts` that the option `shares` reads."""
    clusters = cluster_fields(options)
    fields = {"equal": (), "dra": ("embeddings",), "clusters": clusters, "propensity": logprob_fields(options)}
    return fields[options["shares"]]


def logprob_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """The fields that `known_logprobs` reads."""
    return ("logprobs", "lengths") if options["per_token"] else ("logprobs",)


def axes(
    rollouts: Rollouts,
    *,
    across: Across = "grpo",
    focal: float = 0.0,
    shares: Shares = "equal",
    correct_only: bool = True,
    alpha: float = 1.0,
    tau: float = 1.0,
    per_token: bool = False,
    cap: float | None = None,
    k: int = 4,
    scale: Scale = "group",
    eps: float = 1e-4,
    **alike: Any,
) -> Adjusted:
    """What a prompt counts for (`across`, `focal`) times how its correct completions share it (`shares`).

        A_i ← A_i·(1 − p̂)^focal,  then on C⁺  A_i ← A_i·w_i·(Σ A / Σ A·w)

    p̂ is the group's share of correct completions, C⁺ those of them with A > 0; the others keep their A. Sharing keeps
    the sum over C⁺: what the prompt counts for stays as the first axis has it, and no correct completion is pushed
    below 0. Where rewards differ within C⁺, so do the A that w multiplies.

    Args:
        rollouts: with what `shares` reads.
        across: what a prompt counts for. "grpo": 1/σ, under `scale="none"` Dr.GRPO's 1. "maxrl": 1/p̂, see
            `maxrl_advantages`. "pass_at_k", "pkpo", "pkpo-loo": the advantages of these methods.
        focal: γ of F-GRPO, on any of these: above 0, groups that mostly succeed count less.
        shares: w. "equal": 1. "dra": 1 / (1 + SMI). "clusters": size^−α. "propensity": exp(−τ·log π), so that shares
            of equal A are softmax(−τ·log π); a row whose log-probability is not finite keeps its A.
        correct_only: SMI and clusters look at correct completions alone.
        alpha: α of "clusters".
        tau: τ of "propensity"; 0 is equal shares, 1 undoes exactly that likely completions are drawn more often.
        per_token: "propensity" takes the mean log-probability of a token, not the completion's sum.
        cap: largest w of a group, of a sum of 1; where one is larger, all are mixed with equal ones until it is not.
        k: of pass@k and PKPO.
        scale, eps: see `grpo_advantages`; "grpo" alone looks at them.
        **alike: options of `dra_grpo.core.redundancy` for "dra", and of `cluster_size` for "clusters".

    Returns:
        `Adjusted` at the advantage stage; weights are what sharing multiplied A by, `smi` is there under "dra".

    Raises:
        UsageError: a cap that is not in (0, 1].

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.], [0., 1.]])
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), embeddings)
        >>> axes(rollouts, scale="none", shares="dra").advantages
        tensor([ 0.1875,  0.1875,  0.3750, -0.7500])

    Source: this project; the weights across: GRPO arXiv 2402.03300, Dr.GRPO 2503.20783, MaxRL 2602.02710, F-GRPO
    2602.06717; clusters' shares are in the manner of 2601.08763.
    """
    if cap is not None and not 0 < cap <= 1:
        raise UsageError(f"cap is {cap}; expected a number above 0 and at most 1, the largest share of one completion")
    index = rollouts.index
    by_name = {
        "grpo": lambda: grpo_advantages(rollouts.rewards, index.group, scale, eps),
        "maxrl": lambda: maxrl_advantages(rollouts),
        "pass_at_k": lambda: pass_at_k(rollouts, k=k).to_advantages(),
        "pkpo": lambda: pkpo(rollouts, k=k).to_advantages(),
        "pkpo-loo": lambda: pkpo(rollouts, k=k, baseline="loo-1").to_advantages(),
    }
    advantages = by_name[across]()
    if focal:
        solved = index.mean(rollouts.is_correct.to(advantages.dtype), rollouts.scored)
        advantages = advantages * (1 - solved).pow(focal)[index.group]
    if shares == "equal":
        return Adjusted.from_advantages(rollouts, advantages)
    smi, raised = None, rollouts.is_correct & (advantages > 0)
    if shares == "dra":
        measured = {name: value for name, value in alike.items() if name in parameters(redundancy)}
        smi = redundancy(rollouts, correct_only=correct_only, **measured)
        weights = 1 / (1 + smi)
    elif shares == "clusters":
        counted = {name: value for name, value in alike.items() if name in parameters(cluster_size)}
        company = rollouts.rewards.masked_fill(~rollouts.is_correct, torch.nan) if correct_only else rollouts.rewards
        weights = cluster_size(replace(rollouts, rewards=company), **counted).pow(-alpha)
    else:
        rarity = -tau * known_logprobs(rollouts, per_token)
        raised = raised & ~rarity.isnan()
        weights = (rarity - group_max(index, rarity, raised)[index.group]).exp()
    return shared(rollouts, advantages, raised, weights, cap, smi)


def maxrl_advantages(rollouts: Rollouts) -> Tensor:
    """A_i = (R_i − R̄) / R̄, 0 where R̄ = 0: the weighted sum of the gradients of all pass@k, that of log p(correct).

    Rewards of 0 and 1 have R̄ = p̂. A group with a reward below 0 is shifted until its least one is 0: so −1 and 1 give
    what 0 and 1 give, and A lies between −1 and n − 1 whatever the rewards. It does not hang on the size of the
    rewards, and a bonus that all completions have makes R̄ larger and the prompt's weight flatter.

    Args:
        rollouts: any rewards; of several functions, their weighted sum.

    Returns:
        (N,), in at least float32; NaN where a row is unscorable.

    Example:
        >>> maxrl_advantages(Rollouts(torch.tensor([1., 0., 0., 0.])))
        tensor([ 3., -1., -1., -1.])

    Source: arXiv 2602.02710 for rewards of 0 and 1, which it is about; the rule for others is ours.
    """
    index, rewards = rollouts.index, rollouts.precise_rewards
    below = group_max(index, -rewards, rollouts.scored).clamp(min=0)
    rewards = rewards + below[index.group]  # before the mean, so that equal penalties leave no rounding to divide
    mean = index.mean(rewards, rollouts.scored)[index.group]
    return torch.where(mean > 0, (rewards - mean) / mean, 0.0)


def known_logprobs(rollouts: Rollouts, per_token: bool = False) -> Tensor:
    """log π(o_i) in at least float32, NaN where it is not finite, of which one warning counts the scored rows.

    Args:
        rollouts: with logprobs, and lengths where `per_token`.
        per_token: the mean of a token in place of the completion's sum.

    Returns:
        (N,).
    """
    logprobs = rollouts.logprobs.to(rollouts.precise_rewards.dtype)
    logprobs = logprobs / rollouts.lengths.clamp(min=1) if per_token else logprobs
    unknown = ~logprobs.isfinite()
    if (unknown & rollouts.scored).any():
        number = int((unknown & rollouts.scored).sum())
        warnings.warn(f"{number} completions have no log-probability: it has no say in what they get", stacklevel=2)
    return logprobs.masked_fill(unknown, torch.nan)


def shared(
    rollouts: Rollouts,
    advantages: Tensor,
    raised: Tensor,
    weights: Tensor,
    cap: float | None = None,
    smi: Tensor | None = None,
) -> Adjusted:
    """A_i ← A_i·w_i·(Σ A / Σ A·w) on the rows `raised` of each group; the others keep A.

    Args:
        rollouts: N rows.
        advantages: (N,), above 0 where `raised`.
        raised: bool (N,), the rows that share.
        weights: (N,), w; what it is elsewhere is not looked at.
        cap: see `axes`.
        smi: (N,), what the weights were made of.

    Returns:
        `Adjusted` at the advantage stage.
    """
    index = rollouts.index
    weights = torch.where(raised, weights, 0.0)
    weights = weights / index.sum(weights)[index.group]
    if cap is not None:
        weights = capped(weights, raised, index, cap)
    kept = index.sum(torch.where(raised, advantages, 0.0)) / index.sum(torch.where(raised, advantages * weights, 0.0))
    weights = torch.where(raised, kept[index.group] * weights, 1.0)
    return Adjusted.from_advantages(rollouts, advantages * weights, weights, smi)


def capped(weights: Tensor, raised: Tensor, index: GroupIndex, cap: float) -> Tensor:
    """Weights (N,) of sum 1 over each group's rows `raised`, mixed with equal ones until none is above `cap`.

    >>> index = GroupIndex.from_ids([0, 0, 0])
    >>> capped(torch.tensor([0.8, 0.2, 0.0]), torch.tensor([True, True, True]), index, 0.5)
    tensor([0.5000, 0.2857, 0.2143])
    """
    top = group_max(index, weights, raised)
    equal = 1 / index.sum(raised.to(weights.dtype))
    mix = torch.where(top > cap, ((top - cap) / (top - equal)).clamp(0, 1), 0.0)[index.group]
    return weights + mix * (equal[index.group] - weights)
