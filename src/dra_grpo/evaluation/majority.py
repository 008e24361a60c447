"""maj@k: how often the most frequent answer of k samples is right, exactly, over all ways to pick the k."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import comb

from dra_grpo.errors import UsageError


def majority(votes: Sequence[int], correct: Sequence[float], blank: int, k: int) -> float:
    """The chance that a vote among k of n samples, drawn without replacement, elects a right answer.

    P(c wins) = Σ_j C(m_c, j) · Σ_t ways(k − j others, none above j, t of them at j) / (t + 1) / C(n, k): c has j
    votes, t answers tie with it, and a tie is broken by lot. Counted in integers; samples without an answer do not
    vote.

    Args:
        votes: m_c, the samples that gave each answer.
        correct: the value of electing it, 1 or 0.
        blank: samples without an answer.
        k: how many vote, 1 to n = Σ m_c + blank.

    Raises:
        UsageError: k is out of range.

    >>> majority([2, 1], [1.0, 0.0], blank=0, k=3), majority([2, 1], [1.0, 0.0], blank=0, k=2)
    (1.0, 0.6666666666666666)

    Source: self-consistency, Wang et al., 2022, arXiv 2203.11171; the count over subsets is ours.
    """
    total = sum(votes) + blank
    if not 1 <= k <= total:
        raise UsageError(f"k is {k}, expected 1 to the {total} samples there are")
    value = 0.0
    for place, (own, worth) in enumerate(zip(votes, correct, strict=True)):
        if worth:
            others = [*votes[:place], *votes[place + 1 :]]
            value += worth * sum(_wins(own, others, blank, k, j) for j in range(1, min(own, k) + 1))
    return value / comb(total, k)


def _wins(own: int, others: Sequence[int], blank: int, k: int, j: int) -> float:
    """Ways to draw k samples in which `own` has j votes and wins, each tie counted for its share."""
    free = blank + sum(size for size in others if size < j)  # can never reach j votes, so any number of them may come
    ways: dict[tuple[int, int], int] = {(0, 0): 1}  # (answers that tie, samples drawn) -> ways
    for size in others:
        if size < j:
            continue
        more: dict[tuple[int, int], int] = defaultdict(int)
        for (ties, drawn), count in ways.items():
            for taken in range(min(j, k - j - drawn) + 1):
                more[ties + (taken == j), drawn + taken] += count * comb(size, taken)
        ways = more
    return sum(
        comb(own, j) * count * comb(free, k - j - drawn) / (ties + 1)
        for (ties, drawn), count in ways.items()
        if drawn <= k - j
    )
