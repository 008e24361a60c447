"""Control: DRA on embeddings that know nothing of the text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.methods.dra import dra
from dra_grpo.methods.draws import generator
from dra_grpo.methods.weights import matched, ordered, signed


def random_embeddings(
    rollouts: Rollouts, *, match: bool = True, dim: int = 384, seed: int = 0, step: int = 0, **options: Any
) -> Adjusted:
    """DRA with x_i ~ N(0, 1): weights of DRA's size without DRA's knowledge.

    Args:
        rollouts: with embeddings where `match`.
        match: rescale each group's weights to the mean weight that `dra` with the same options gives its correct rows
            (its scored rows where none is correct), so that the arms differ in who is weighted and not in how much.
            The rules for negative and wrong rewards come after it, so that what they keep is kept.
        dim: D of the random embeddings; cosines spread by about 1/√dim.
        seed, step: the embeddings are a function of these and the row's place in its group; pass the training step.
        **options: `dra`'s.

    Returns:
        `Adjusted` at the reward stage; `smi` is that of the random embeddings.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings)
        >>> random_embeddings(rollouts).weights.mean(), dra(rollouts).weights.mean()
        (tensor(0.6667), tensor(0.6667))

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control.
    """
    noise = torch.randn(*rollouts.index.shape, dim, generator=generator(seed, step), device="cpu")
    blind = replace(rollouts, embeddings=rollouts.index.unpad(noise.to(rollouts.rewards.device)))
    value = dra(blind, **options).smi.nan_to_num(0.0)
    negative, wrong = options.pop("negative", "scale"), options.pop("wrong", "scale")
    # The spread gate, where it is set, opens for this arm in the groups in which it opens for DRA.
    weights = dra(blind if rollouts.embeddings is None else rollouts, value, **options).weights
    if match:
        weights = matched(rollouts, weights, dra(rollouts, **options).weights)
    weights = ordered(rollouts, signed(rollouts, weights, negative), wrong)
    return Adjusted.from_weights(rollouts, weights, value, options.get("std_floor", 0.0))


def random_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """Embeddings, if their mean weight is to be matched."""
    return ("embeddings",) if options["match"] else ()
