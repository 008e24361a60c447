from __future__ import annotations

from collections import Counter
from itertools import combinations

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
