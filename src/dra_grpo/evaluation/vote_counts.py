"""How many of an answer's m samples are among the k that vote: binomial numbers, as values of Fourier sums.

Of n samples each is kept with chance k / n. Frequencies θ_l = 2πl / N, l = 0 … (N − 1) / 2, carry what is needed of a
sum over all N, the terms being real. N > n would separate all sums; N ≥ 5√n separates k from all that lie N or more
away, which together have less than 2 exp(−50) of chance by Hoeffding's inequality.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import ceil, isqrt, pi, sqrt
from typing import NamedTuple

import torch
from torch import Tensor


class VoteCounts(NamedTuple):
    """X ~ Binomial(m, k / n).

    Attributes:
        below: E[exp(iθX); X < j], rows j = 0 … m + 1, columns θ_l.
        equal: E[exp(iθX); X = j], likewise.
    """

    below: Tensor
    equal: Tensor

    @property
    def all(self) -> Tensor:
        """E[exp(iθX)], (L,)."""
        return self.below[-1]


def vote_counts(size: int, total: int, k: int) -> VoteCounts:
    """The number of votes of an answer with `size` of `total` samples, of which k are drawn."""
    rows = torch.arange(size + 1, dtype=torch.float64).unsqueeze(1)
    equal = torch.polar(binomial(size, k / total).unsqueeze(1).expand(-1, len(angles(total))), rows * angles(total))
    nothing = torch.zeros_like(equal[:1])
    return VoteCounts(torch.cat([nothing, equal.cumsum(0)]), torch.cat([equal, nothing]))


def selection(total: int, k: int) -> Tensor:
    """What a product of characteristic functions is weighted with so that its real parts sum to P(Σ X = k): (L,)."""
    theta = angles(total)
    weights = torch.full_like(theta, 2.0 / (2 * len(theta) - 1))
    weights[0] /= 2
    return torch.polar(weights, -k * theta)


@cache
def angles(total: int) -> Tensor:
    """θ_l, (L,) float64."""
    half = min((total + 1) // 2, ceil(2.5 * sqrt(total)))
    return torch.arange(half + 1, dtype=torch.float64) * (2 * pi / (2 * half + 1))


@lru_cache(1024)
def binomial(size: int, p: float) -> Tensor:
    """The probabilities of 0 … size, (size + 1,) float64, from the mode outwards so that the large ones are exact.

    >>> binomial(2, 0.5)
    tensor([0.2500, 0.5000, 0.2500], dtype=torch.float64)
    """
    places = torch.arange(size, dtype=torch.float64)
    ratios = (size - places) / (places + 1) * (p / (1 - p))
    mode = min(size, int((size + 1) * p))
    relative = torch.cat(
        [(1 / ratios[:mode]).flip(0).cumprod(0).flip(0), torch.ones(1, dtype=torch.float64), ratios[mode:].cumprod(0)]
    )
    return relative / relative.sum()


@cache
def gauss(degree: int) -> tuple[Tensor, Tensor]:
    """Nodes (Q, 1) and weights (Q,) on [0, 1] for ∫ E[yᵀ] dy with T ≤ `degree`.

    Exact with Q > degree / 2. Beyond 3√degree nodes nothing is gained: some polynomial of degree d is within
    2 exp(−d² / degree) of y^degree (Newman and Rivlin, 1976), and the rule is exact for d < 2Q.
    """
    nodes = min(degree // 2 + 1, 3 * isqrt(degree) + 4)
    # The eigenvalues of the Legendre recurrence, and the squares of the eigenvectors' first entries.
    steps = torch.arange(1, nodes, dtype=torch.float64)
    beside = steps / (4 * steps**2 - 1).sqrt()
    places, vectors = torch.linalg.eigh(torch.diag(beside, 1) + torch.diag(beside, -1))
    return (places.unsqueeze(1) + 1) / 2, vectors[0] ** 2
