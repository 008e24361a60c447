"""The accuracy reward: grades, what makes a row unscorable, TRL's conventions, what is logged and counted."""

from __future__ import annotations

import logging

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.grading.grader import Grader
from dra_grpo.rewards import AccuracyReward

REWARD = AccuracyReward(workers=1)


def test_chats_and_strings_score_alike():
    text = r"<think>\boxed{4}</think> \boxed{5}"
    chat = [{"role": "assistant", "content": text}]
    parts = [{"role": "assistant", "content": [{"type": "text", "text": text}]}]
    tools = [{"role": "assistant", "content": r"\boxed{5}"}, {"role": "tool", "content": "5"}]
    silent = [{"role": "assistant", "content": None}]
    bare = [{"content": text}]
    assert REWARD([text, chat, parts, bare, tools, silent, []], ["5"] * 7) == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_a_gold_with_nothing_to_compare_gives_none_to_its_whole_group_and_is_reported(caplog):
    completions = [r"\boxed{5}", r"\boxed{}", "no box", r"\boxed{9^{9^{9}}}"]
    with caplog.at_level(logging.WARNING, "dra_grpo.rewards"):
        scores = REWARD(completions * 2, [None] * 4 + ["$$"] * 4)
    assert scores == [None] * 8
    assert "8 of 8 completions get no reward: nothing can be compared with gold '$$', None" in caplog.text


def test_timeouts_are_wrong_counted_and_logged(caplog):
    metrics: dict[str, float] = {}
    reward = AccuracyReward(workers=1, seconds=0.3)
    before = reward.counts["timeout"]
    completions = [r"\boxed{9^{9^{9^9}}}", r"\boxed{2\sqrt2}", "x" * 9, rf"\boxed{{{'1+' * 3000}1}}"]
    with caplog.at_level(logging.WARNING, "dra_grpo.rewards"):
        scores = reward([*completions, r"\boxed{1}"], [r"\sqrt8"] * 4 + [None], log_metric=metrics.__setitem__)
    assert scores == [0.0, 1.0, 0.0, 0.0, None]
    assert metrics == {"grading/timeouts": 1.0, "grading/given_up": 1.0, "grading/unscorable": 1.0}
    assert reward.counts["timeout"] - before == 1
    assert "2 of 5 answers given up on and wrong: {'timeout': 1, 'overlong': 1}" in caplog.text


def test_an_answer_is_graded_once():
    grader = Grader(1, 0.3, 1 << 30)
    try:
        first = grader.grade([r"\boxed{9^{9^{9^9}}}"] * 3, [r"\sqrt8"] * 3)
        pids = grader.pool.pids
        again = grader.grade([r"\boxed{9^{9^{9^9}}}"], [r"\sqrt8"])
    finally:
        grader.pool.close()
    assert {grade.how for grade in first + again} == {"timeout"}
    assert grader.pool.pids == [] == pids  # the worker died of the first, and nothing asked for another
    assert grader.counts == {"timeout": 4}


def test_errors_name_what_is_wrong():
    with pytest.raises(UsageError, match=r"^2 completions came with 1 solutions; expected one for each$"):
        REWARD(["a", "b"], ["5"])
    with pytest.raises(UsageError, match=r"^a completion is a int; expected a string or a list of chat messages"):
        REWARD([5], ["5"])
