"""The cosine reward against its formula: bounds, direction, the clip, and what counts as length."""

from __future__ import annotations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.rewards import AccuracyReward, CosineLengthReward, cosine_length_reward

RIGHT, WRONG = r"\boxed{1}", r"\boxed{2}"


def at(lengths: list[int], text: str, reward: CosineLengthReward) -> list[float]:
    return reward([text] * len(lengths), ["1"] * len(lengths), completion_ids=[[0] * length for length in lengths])


def test_worked_numbers():
    reward = CosineLengthReward(max_tokens=90)
    assert at([0, 30, 45, 60, 90, 135, 180], RIGHT, reward) == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5, 0.5, 0.5])
    assert at([0, 30, 45, 60, 90], WRONG, reward) == pytest.approx([-1.0, -0.875, -0.75, -0.625, -0.5])


def test_length_is_tokens_not_characters():
    long_text = "word " * 5000 + RIGHT
    assert cosine_length_reward([long_text], ["1"], completion_ids=[[]]) == [1.0]


def test_unscorable_rows_stay_unscored():
    assert cosine_length_reward([RIGHT, RIGHT], [None, "1"], completion_ids=[[], []]) == [None, 1.0]


def test_timeouts_reach_the_log():
    metrics: dict[str, float] = {}
    reward = CosineLengthReward(max_tokens=10, accuracy=AccuracyReward(workers=1, seconds=0.3))
    scores = reward([r"\boxed{9^{9^{9^9}}}"], [r"\sqrt2"], completion_ids=[[]], log_metric=metrics.__setitem__)
    assert scores == [-1.0]
    assert metrics["grading/timeouts"] == 1.0


def test_a_limit_that_is_none():
    with pytest.raises(UsageError, match=r"^cosine_length_reward got max_tokens=0; expected a positive number$"):
        CosineLengthReward(max_tokens=0)
