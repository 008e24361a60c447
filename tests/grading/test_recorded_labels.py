"""Agreement with the labels of recorded completions; the disagreements are listed, each with who is right."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dra_grpo.rewards import accuracy_reward, game24_reward

DATA = Path(os.environ.get("DRA_GRPO_DATA", Path(__file__).parents[3] / "shared" / "data"))

# (group, arm): the answer in the box. The label is wrong where the grader is right, and the other way round.
GRADER_RIGHT = {
    ("re2-237", "td003-re2-vanilla"): "2 + 9 = 11",  # gold 11, labelled wrong
    ("re2-1251", "td003-base-cot"): "$99 - $72 = $27",  # gold 27, labelled wrong
    ("re2-734", "td003-base-vanilla"): "2:30 pm",  # gold 2 (o'clock), labelled right
    ("re2-734", "td003-re2-vanilla"): "2:30 pm",
}
LABEL_RIGHT = {
    ("re2-734", "td003-base-cot"): "2:00 pm",  # gold 2: the same time, but no number to the grader
    ("re2-734", "gpt35-base-cot"): r"2:00 \, \text{pm}",
    ("re2-734", "gpt35-re2-vanilla"): r"2:00 \, \text{pm}",
}


def groups(name: str) -> list[dict]:
    path = DATA / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"no {path.name} in {DATA}; DRA_GRPO_DATA names another folder")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_boxed_gsm8k_completions_agree_but_for_seven_that_are_known():
    rows, disagreements = 0, {}
    for group in groups("gsm8k_re2_x12_s300"):
        completions, answer = group["completions"], group["answer"]
        grades = accuracy_reward.grader.grade(completions, [answer] * len(completions))
        for grade, label, arm in zip(grades, group["correct"], group["source"], strict=True):
            if grade.how != "unboxed":
                rows += 1
                if grade.score != label:
                    disagreements[group["id"], arm] = grade.answer
    assert rows == 3486
    assert disagreements == GRADER_RIGHT | LABEL_RIGHT


def test_game_of_24_labels_agree_all():
    rows = disagreements = 0
    for group in groups("game24_gpt4_x100"):
        completions = group["completions"]
        scores = game24_reward(completions, [group["numbers"]] * len(completions))
        rows += len(scores)
        disagreements += sum(score != label for score, label in zip(scores, group["correct"], strict=True))
    assert (rows, disagreements) == (10_000, 0)
