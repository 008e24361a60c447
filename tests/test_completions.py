from __future__ import annotations

import pytest

from dra_grpo.completions import SELECTIONS, select
from dra_grpo.errors import UsageError

CASES = {
    "no tags": ("4", "4", "4"),
    "thought and answer": ("<think>2 + 2</think><answer>4</answer>", "2 + 2", "4"),
    "the template opened the thinking": ("2 + 2</think>It is 4", "2 + 2", "It is 4"),
    "thinking never ended": ("<think>2 + 2 is", "<think>2 + 2 is", ""),
    "words before the thinking": ("Well. <think>2 + 2</think>4", "2 + 2", "4"),
    "two answers": ("<think>t</think><answer>5</answer>no, <answer>4</answer>", "t", "4"),
    "answer never closed": ("<think>t</think><answer>4", "t", "<answer>4"),
    "a second answer never closed": ("<answer>5</answer> or <answer>4", *["<answer>5</answer> or <answer>4"], "5"),
    "closing tag alone": ("</answer>4", "</answer>4", "</answer>4"),
    "thought twice": ("<think>a</think>b<think>c</think>d", "a</think>b<think>c", "d"),
    "empty parts": ("<think></think><answer></answer>", "", ""),
    "empty": ("", "", ""),
}


@pytest.mark.parametrize("text, think, answer", CASES.values(), ids=CASES.keys())
def test_parts(text, think, answer):
    assert select([text]) == [text]
    assert select([text], "think") == [think]
    assert select([text], "answer") == [answer]


def test_keeps_number_and_order():
    assert select([], "answer") == []
    assert select(["b", "a", "b"], "think") == ["b", "a", "b"]
    assert list(SELECTIONS) == ["completion", "think", "answer"]


def test_unknown_part_names_the_nearest():
    with pytest.raises(UsageError, match="unknown selection 'anwser'; did you mean 'answer'"):
        select(["x"], "anwser")
