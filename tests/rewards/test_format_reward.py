"""The format reward on well-formed, malformed and hostile completions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from dra_grpo.rewards import FormatReward, format_reward

GOOD = "<think>1+1</think><answer>2</answer>"


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "<think>\n1+1\n</think>\n<answer>\n2\n</answer>",
        "  <think>1+1</think>\n\n <answer>2</answer>\n",
        "<think>a < b > c</think><answer>\\boxed{2}</answer>",
    ],
)
def test_well_formed(text: str):
    assert format_reward([text]) == [1.0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "<think></think><answer>2</answer>",
        "<think>1+1</think><answer></answer>",
        f"so {GOOD}",
        f"{GOOD} done",
        "<think>1+1</think> so <answer>2</answer>",
        "<think>1+1<answer>2</answer></think>",
        "<answer>2</answer><think>1+1</think>",
        "<think>1+1</think><answer>2",
        "<think><think>1+1</think><answer>2</answer>",
        GOOD + GOOD,
        "<Think>1+1</Think><Answer>2</Answer>",
        "<think >1+1</think ><answer >2</answer >",
    ],
)
def test_malformed(text: str):
    assert format_reward([text]) == [0.0]


def test_without_answer_tags_text_must_follow_the_thought():
    reward = FormatReward(answer_tags=False)
    assert reward(["<think>1</think>2"]) == [1.0]
    assert reward(["<think>1</think> ", GOOD, "2", "<think>1</think>2</think>"]) == [0.0] * 4


def test_a_prompt_that_opens_the_thought():
    reward = FormatReward(think_in_prompt=True)
    assert reward(["1+1</think><answer>2</answer>", GOOD, "<answer>2</answer>"]) == [1.0, 0.0, 0.0]


@settings(deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "x", " "]), max_size=9))
def test_only_one_order_of_tags_is_well_formed(parts: list[str]):
    tags = [part for part in parts if part.startswith("<")]
    inside = "".join(parts)
    expected = False
    if tags == ["<think>", "</think>", "<answer>", "</answer>"]:
        outside = [piece.rpartition(">")[2] for piece in inside.split("<")]
        before, thought, gap, answer, after = outside
        expected = not (before + gap + after).strip() and bool(thought.strip()) and bool(answer.strip())
    assert format_reward([inside]) == [float(expected)]
