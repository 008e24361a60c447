"""Drawing tokens so that each row has a stream of random numbers of its own, whoever shares its batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dra_grpo.errors import UsageError


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Row n: the first `count` uniform numbers in [0, 1) of the generator that `seeds[n]` starts. (N, count) float32.

    >>> torch.equal(uniforms([3, 5], 4)[1:], uniforms([5], 4))
    True
    """
    return torch.stack([torch.rand(count, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> Tensor:
    """One token a row by inverting the distribution function at a given uniform number.

    The nucleus holds the likeliest tokens up to and with the one that brings their sum to `top_p`.

    Args:
        logits: (N, V).
        uniform: (N,) in [0, 1).
        temperature: 0 takes the likeliest token.
        top_p: in (0, 1].

    Returns:
        (N,) token ids, never one of probability 0.

    Raises:
        UsageError: logits are NaN or infinite.

    >>> draw(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0.4, 0.6]), temperature=1.0, top_p=1.0)
    tensor([0, 1])
    """
    if not logits.amax(-1).isfinite().all():
        raise UsageError("the model's logits are NaN or infinite; take --dtype bfloat16 or float32, or other weights")
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = (logits.float() / temperature).softmax(-1)
    tokens = None
    if top_p < 1:
        probabilities, tokens = probabilities.sort(dim=-1, descending=True, stable=True)
        before = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    # Strictly below the total, or rounding could point behind the last token that has any probability.
    point = torch.minimum(uniform.unsqueeze(-1) * total, torch.nextafter(total, torch.zeros_like(total)))
    places = torch.searchsorted(cumulative, point, right=True)
    return (places if tokens is None else tokens.gather(-1, places)).squeeze(-1)
