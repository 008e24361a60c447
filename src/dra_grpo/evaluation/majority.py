"""maj@k: how often the most frequent answer of k samples is right, over all ways to pick the k."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.vote_counts import VoteCounts, binomial, gauss, selection, vote_counts


def majority(votes: Sequence[int], correct: Sequence[float], blank: int, k: int) -> float:
    """The chance that a vote among k of n samples, drawn without replacement, elects a right answer.

    Nothing is sampled: every subset counts. A tie is broken by lot, and samples without an answer do not vote. Drawing
    k without replacement is keeping each sample with chance p = k / n, given that k are kept. Answer i then has
    X_i ~ Binomial(m_i, p) votes, independent of the others', and

        P(c wins) = Σ_j P(X_c = j) ∫₀¹ E[Π_{i ≠ c} ([X_i < j] + y [X_i = j]); Σ X = k] dy / P(Σ X = k),

    since c's share is ∫ yᵗ dy = 1 / (t + 1) where t others tie with it. A Fourier sum picks out Σ X = k, a Gauss rule
    integrates over y; no factor exceeds 1 in size, so rounding stays far below the 12 decimals.

    Args:
        votes: m_c, the samples that gave each answer.
        correct: the value of electing it, 1 or 0.
        blank: samples without an answer.
        k: how many vote, 1 to n = Σ m_c + blank.

    Returns:
        The chance, to 12 decimals.

    Raises:
        UsageError: k is out of range.

    >>> majority([2, 1], [1.0, 0.0], blank=0, k=3), majority([2, 1], [1.0, 0.0], blank=0, k=2)
    (1.0, 0.666666666667)

    Source: self-consistency, Wang et al., 2022, arXiv 2203.11171; the sum over subsets is ours.
    """
    total = sum(votes) + blank
    if not 1 <= k <= total:
        raise UsageError(f"k is {k}, expected 1 to the {total} samples there are")
    if k == total:
        elected = [worth for size, worth in zip(votes, correct, strict=True) if size == max(votes)]
        return sum(elected) / len(elected) if elected else 0.0
    worths = dict.fromkeys(votes, 0.0)  # answers with as many samples each win as often
    for size, worth in zip(votes, correct, strict=True):
        worths[size] += worth
    counts = {size: vote_counts(size, total, k) for size in worths}
    rest = vote_counts(blank, total, k).all * selection(total, k)
    answers = Counter(votes)
    value = sum(
        worth * _wins(size, answers - Counter([size]), counts, rest, k) for size, worth in worths.items() if worth
    )
    return round(value / binomial(total, k / total)[k].item(), 12)


def _wins(own: int, others: Mapping[int, int], counts: Mapping[int, VoteCounts], rest: Tensor, k: int) -> float:
    """P(an answer with `own` samples wins; Σ X = k), against `others`, size -> answers of that size."""
    value, first, most = 0.0, 1, min(own, k)
    while first <= most:  # j in blocks: the larger it is, the fewer answers can tie
        votes = torch.arange(first, min(2 * first, most + 1))
        y, weights = gauss(sum(count for size, count in others.items() if size >= first))
        product = counts[own].equal[votes].unsqueeze(1) * rest
        for size, count in others.items():
            one = counts[size]
            if size < first:
                product = product * one.all**count
            else:
                j = votes.clamp(max=size + 1)
                product = product * (one.below[j].unsqueeze(1) + y * one.equal[j].unsqueeze(1)) ** count
        value += (product.real.sum((0, 2)) @ weights).item()
        first *= 2
    return value
