from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.majority import majority


def over_all_subsets(votes, worth, blank, k) -> float:
    """Every subset of k samples, each voted on by itself."""
    samples = [answer for answer, count in enumerate(votes) for _ in range(count)] + [None] * blank
    values = []
    for subset in combinations(range(len(samples)), k):
        counts = Counter(samples[i] for i in subset if samples[i] is not None)
        most = max(counts.values(), default=0)
        winners = [answer for answer, count in counts.items() if count == most]
        values.append(sum(worth[answer] for answer in winners) / len(winners) if winners else 0.0)
    return sum(values) / len(values)


@given(
    votes=st.lists(st.integers(1, 4), min_size=0, max_size=4).filter(lambda votes: sum(votes) <= 9),
    blank=st.integers(0, 3),
    right=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=120, deadline=None)
def test_agrees_with_voting_on_every_subset(votes, blank, right, data):
    total = sum(votes) + blank
    if not total:
        return
    worth = [1.0 if answer == right else 0.0 for answer in range(len(votes))]
    k = data.draw(st.integers(1, total))
    assert majority(votes, worth, blank, k) == pytest.approx(over_all_subsets(votes, worth, blank, k), abs=1e-12)


def counted_in_integers(votes, worth, blank, k) -> float:
    """Ways to draw the k, answer by answer: exact, and slow."""
    value = Fraction(0)
    for place, own in enumerate(votes):
        for j in range(1, min(own, k) + 1) if worth[place] else ():
            ways = {(0, blank_drawn): comb(blank, blank_drawn) for blank_drawn in range(k - j + 1)}
            for size in votes[:place] + votes[place + 1 :]:
                more: dict[tuple[int, int], int] = defaultdict(int)
                for (ties, drawn), count in ways.items():
                    for taken in range(min(j, size, k - j - drawn) + 1):
                        more[ties + (taken == j), drawn + taken] += count * comb(size, taken)
                ways = more
            wins = sum(Fraction(count, ties + 1) for (ties, drawn), count in ways.items() if drawn == k - j)
            value += Fraction(worth[place]) * comb(own, j) * wins
    return float(value / comb(sum(votes) + blank, k))


@pytest.mark.parametrize(
    "votes, worth, blank, k",
    [
        ([1, 1], [1.0, 0.0], 4094, 2048),
        ([2000, 7], [0.0, 1.0], 2089, 4),
        ([30, 20, 20, 9, 3, *[1] * 14], [0.0, 1.0, 0.0, 1.0, 0.5, *[0.0] * 14], 4, 37),
        ([4, 3, 3, *[1] * 150], [0.0, 1.0, 0.0, 1.0, *[0.0] * 149], 9, 12),
    ],
)
def test_agrees_with_counting_in_integers(votes, worth, blank, k):
    assert majority(votes, worth, blank, k) == pytest.approx(counted_in_integers(votes, worth, blank, k), abs=1e-12)


def test_thousands_of_samples_and_of_answers():
    # The first three were worked out once by counting in integers, which took up to two and a half minutes each.
    assert majority([1034, 964], [1.0, 0.0], blank=50, k=1024) == 0.941359550552
    assert majority([2000, 1999], [0.0, 1.0], blank=97, k=4095) == 0.244140625
    assert majority([500, 480, 20, 10, *[1] * 2000], [0.0, 1.0] + [0.0] * 2002, blank=1000, k=64) == 0.467782884146
    for k in (2, 64, 2048, 4095, 4096):
        assert majority([2048, 2048], [1.0, 0.0], blank=0, k=k) == 0.5
        assert majority([4000], [1.0], blank=96, k=k) == (1.0 if k > 2 else 1 - round(comb(96, k) / comb(4096, k), 12))
        assert majority([1] * 4096, [1.0, *[0.0] * 4095], blank=0, k=k) == round(1 / 4096, 12)
        assert majority([1] * 2096 + [2] * 1000, [1.0] * 3096, blank=0, k=k) == 1.0


def test_one_vote_is_the_share_of_right_answers():
    assert majority([3, 5], [1.0, 0.0], blank=2, k=1) == pytest.approx(0.3)


def test_all_votes_are_the_plain_majority():
    assert majority([30, 34], [1.0, 0.0], blank=0, k=64) == 0.0
    assert majority([34, 30], [1.0, 0.0], blank=0, k=64) == 1.0
    assert majority([32, 32], [1.0, 0.0], blank=0, k=64) == 0.5


def test_values_of_one_half_where_spellings_were_judged_apart():
    assert majority([4], [0.5], blank=0, k=2) == 0.5


def test_many_samples_and_many_answers():
    assert majority([1] * 64, [1.0] + [0.0] * 63, blank=0, k=64) == pytest.approx(1 / 64)
    assert majority([1, *[1] * 99], [1.0] + [0.0] * 99, blank=0, k=1) == pytest.approx(0.01)


@pytest.mark.parametrize("k", [0, 4, -1])
def test_k_out_of_range(k):
    with pytest.raises(UsageError, match=f"k is {k}, expected 1 to the 3 samples there are"):
        majority([2], [1.0], blank=1, k=k)
