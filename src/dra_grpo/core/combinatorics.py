"""Draws: k completions without replacement, which pass@k is made of, and random numbers that depend on a key alone."""

import random

import torch
from torch import Tensor


def miss_probability(n: Tensor, c: Tensor, k: int) -> Tensor:
    """C(n − c, k) / C(n, k): the chance that k of n completions hold none of the c correct ones; pass@k is 1 minus it.

    Through log-gamma, so that binomials larger than any float do no harm, and in float64 where the device has it.

    Args:
        n: integers, any shape.
        c: integers, 0 ≤ c ≤ n, shaped like `n`.
        k: how many are drawn.

    Returns:
        Shaped like `n`, exactly 1 where c = 0 and exactly 0 where fewer than k are wrong; meant for k ≤ n.

    Example:
        >>> 1 - miss_probability(torch.tensor([8]), torch.tensor([2]), k=4)
        tensor([0.7857], dtype=torch.float64)

    Source: Chen et al., 2021, arXiv 2107.03374, eq. 1.
    """
    precise = torch.float32 if n.device.type == "mps" else torch.float64
    total, wrong = n.to(precise), (n - c).to(precise)

    def log_falling(x: Tensor) -> Tensor:  # log x!/(x − k)!
        return torch.lgamma(x + 1) - torch.lgamma((x - k).clamp(min=0) + 1)

    return torch.where(c == 0, 1.0, torch.where(wrong < k, 0.0, (log_falling(wrong) - log_falling(total)).exp()))


def generator(seed: int, step: int) -> torch.Generator:
    """A CPU generator of this seed and step: the same in every process, and the global one is not touched.

    >>> torch.equal(torch.rand(2, generator=generator(0, 7)), torch.rand(2, generator=generator(0, 7)))
    True
    """
    return torch.Generator("cpu").manual_seed(random.Random(f"{seed}:{step}").getrandbits(63))
