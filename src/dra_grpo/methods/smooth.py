"""Smoothing: what made a correct completion likely is taken off its advantage."""

from dataclasses import replace
from typing import Any

import torch

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.methods.axes import axes, axes_fields, known_logprobs, logprob_fields


def smooth_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """The fields of log-probabilities, and those that the shares beside them read."""
    return tuple(dict.fromkeys(logprob_fields(options) + axes_fields(options)))


def smooth(rollouts: Rollouts, *, gamma: float = 0.5, per_token: bool = False, **options: Any) -> Adjusted:
    """A_i − γ·(log π(o_i) − mean_C log π) on the correct completions C: the likelier of them gain less than the rarer.

    The correction sums to 0 over C, so a group's mean advantage stays what it was. It is there in all-correct groups
    too, which keep a gradient, and it can push a likely correct completion below 0.

    Args:
        rollouts: with logprobs, and what the options read.
        gamma: γ, per unit of log-probability: sums differ by tens between long completions, and γ goes with that.
        per_token: log π is the mean of a token, not the completion's sum.
        **options: those of `axes`, which gives A; without any, GRPO's.

    Returns:
        `Adjusted` at the advantage stage; a row whose log-probability is not finite keeps its A and is in no mean.

    Example:
        >>> rollouts = Rollouts([1., 1., 0., 0.], logprobs=[-1., -2., -3., -4.])
        >>> smooth(rollouts, scale="none").advantages
        tensor([ 0.2500,  0.7500, -0.5000, -0.5000])

    Source: near DS-GRPO, arXiv 2511.19942, known to us from others' notes. There log π is not centred, so that correct
    completions gain on the whole, and wrong ones get +γ_n·log π, which this leaves alone.
    """
    found = axes(rollouts, per_token=per_token, **options)
    logprobs = known_logprobs(rollouts, per_token)
    rows = rollouts.is_correct & ~logprobs.isnan()
    change = logprobs - rollouts.index.mean(logprobs, rows)[rollouts.index.group]
    return replace(found, advantages=found.to_advantages() - gamma * torch.where(rows, change, 0.0))
