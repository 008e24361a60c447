"""The cosine reward against its formula: bounds, direction, the clip, and what counts as length."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dra_grpo.errors import UsageError
from dra_grpo.rewards import AccuracyReward, CosineLengthReward, cosine_length_reward

RIGHT, WRONG = r"\boxed{1}", r"\boxed{2}"


def at(lengths: list[int], text: str, reward: CosineLengthReward) -> list[float]:
    return reward([text] * len(lengths), ["1"] * len(lengths), completion_ids=[[0] * length for length in lengths])


def test_worked_numbers():
    reward = CosineLengthReward(max_tokens=90)
    assert at([0, 30, 45, 60, 90], RIGHT, reward) == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5])
    assert at([0, 30, 45, 60, 90], WRONG, reward) == pytest.approx([-1.0, -0.875, -0.75, -0.625, -0.5])


def test_it_stays_put_beyond_the_limit_where_an_unclipped_cosine_comes_back():
    reward = CosineLengthReward(max_tokens=100)
    assert at([100, 150, 200, 100_000], RIGHT, reward) == [0.5] * 4
    unclipped = 0.5 + 0.25 * (1 + math.cos(math.pi * 200 / 100))
    assert unclipped == pytest.approx(1.0)  # twice the limit would earn as much as no text at all


@settings(deadline=None)
@given(st.lists(st.integers(0, 8000), min_size=2, max_size=20))
def test_bounds_and_direction(lengths: list[int]):
    right, wrong = (at(sorted(lengths), text, cosine_length_reward) for text in (RIGHT, WRONG))
    assert right == sorted(right, reverse=True)
    assert wrong == sorted(wrong)
    assert all(0.5 <= value <= 1.0 for value in right)
    assert all(-1.0 <= value <= -0.5 for value in wrong)


def test_the_default_limit_is_the_papers():
    assert cosine_length_reward.max_tokens == 3584
    assert at([1792], RIGHT, cosine_length_reward) == pytest.approx([0.75])


def test_length_is_tokens_not_characters():
    long_text = "word " * 5000 + RIGHT
    assert cosine_length_reward([long_text], ["1"], completion_ids=[[]]) == [1.0]


def test_without_token_ids_it_needs_a_way_to_count():
    with pytest.raises(UsageError, match=r"^cosine_length_reward measures tokens but got no completion_ids; pass"):
        cosine_length_reward([RIGHT], ["1"])
    reward = CosineLengthReward(max_tokens=2, count=len)
    assert reward([RIGHT], ["1"]) == [0.5]


def test_unscorable_rows_stay_unscored():
    assert cosine_length_reward([RIGHT, RIGHT], [None, "1"], completion_ids=[[], []]) == [None, 1.0]


def test_hostile_completions_get_the_bounds_of_wrong_ones():
    texts = ["", "\x00", "{" * 9999, "\ud800", r"\boxed{" * 9999]
    assert at([0], texts[0], cosine_length_reward) == [-1.0]
    assert cosine_length_reward(texts, ["1"] * 5, completion_ids=[[0] * 9999] * 5) == [-0.5] * 5


def test_timeouts_reach_the_log():
    metrics: dict[str, float] = {}
    reward = CosineLengthReward(max_tokens=10, accuracy=AccuracyReward(workers=1, seconds=0.3))
    scores = reward([r"\boxed{9^{9^{9^9}}}"], [r"\sqrt2"], completion_ids=[[]], log_metric=metrics.__setitem__)
    assert scores == [-1.0]
    assert metrics["grading/timeouts"] == 1.0


def test_non_negative_rewards_for_methods_that_divide_them():
    reward = CosineLengthReward(short_wrong=0.0, long_wrong=0.0)
    assert at([0, 100, 9000], WRONG, reward) == [0.0] * 3


def test_errors_and_pickling():
    with pytest.raises(UsageError, match=r"^cosine_length_reward got max_tokens=0; expected a positive number$"):
        CosineLengthReward(max_tokens=0)
    with pytest.raises(UsageError, match=r"^cosine_length_reward got long_wrong=nan; expected a finite number$"):
        CosineLengthReward(long_wrong=float("nan"))
    with pytest.raises(UsageError, match=r"^2 completions came with 1 completion_ids; expected one each$"):
        cosine_length_reward([RIGHT, RIGHT], ["1", "1"], completion_ids=[[1]])
    assert cosine_length_reward.__name__ == "cosine_length_reward"
    assert pickle.loads(pickle.dumps(CosineLengthReward(max_tokens=7))) == CosineLengthReward(max_tokens=7)
