from __future__ import annotations

import json
import os
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dra_grpo.evaluation.figures import arm, curve_points, figures, pass_at_k, vote
from dra_grpo.evaluation.question import Question
from dra_grpo.evaluation.sampler import Key, Sample
from dra_grpo.evaluation.scoring import Scored, score
from dra_grpo.tasks.countdown import Problem, accepted_texts, distinct_solutions

DATA = Path(os.environ.get("DRA_GRPO_DATA", Path(__file__).parents[3] / "shared" / "data"))


@given(n=st.integers(1, 8), data=st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    marks = [1] * c + [0] * (n - c)
    expected = sum(any(subset) for subset in combinations(marks, k)) / len(list(combinations(marks, k)))
    assert pass_at_k(torch.tensor([c]), torch.tensor([n]), k).item() == pytest.approx(expected, abs=1e-12)


def test_pass_at_k_of_many_samples_neither_overflows_nor_vanishes():
    found = pass_at_k(torch.tensor([1, 4095, 0]), torch.tensor([4096] * 3), 2048)
    assert found.tolist() == pytest.approx([0.5, 1.0, 0.0])
    assert pass_at_k(torch.tensor([1]), torch.tensor([4096]), 1).item() == pytest.approx(1 / 4096, abs=1e-11)


@pytest.mark.parametrize("n, points", [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (64, [1, 2, 4, 8, 16, 32, 64])])
def test_curve_points(n, points):
    assert curve_points(n) == points


def scored_sums(answers: dict[str, list[str]], golds: dict[str, object]) -> list[Scored]:
    questions = [Question(id, f"problem {id}", golds[id]) for id in answers]
    samples = {
        Key(id, i): Sample(Key(id, i), text, 10 * (i + 1), truncated="boxed" not in text)
        for id, texts in answers.items()
        for i, text in enumerate(texts)
    }
    return score("math500", questions, samples, count=4)


@pytest.fixture(scope="module")
def scored():
    pytest.importorskip("math_verify")
    return scored_sums(
        {
            "a": [r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{\frac12}", r"\boxed{2}"],
            "b": [r"\boxed{x+1}", r"\boxed{1+x}", "no answer", r"<think>\boxed{x+1}</think> none"],
            "c": [r"\boxed{7}", r"\boxed{8}", r"\boxed{8}", "unfinished \\boxed{7"],
            "d": [r"\boxed{1}"] * 4,
        },
        {"a": r"\frac{1}{2}", "b": "x+1", "c": 7.0, "d": None},
    )


def test_graded_by_the_librarys_own_grader(scored):
    assert [one.correct for one in scored] == [
        [True, True, True, False], [True, True, False, False], [True, False, False, False], None
    ]  # fmt: skip
    assert scored[1].hows == ("text", "mathematics", "unboxed", "unboxed")


def test_equal_numbers_are_one_answer_whatever_their_spelling(scored):
    assert [len(one.votes) for one in scored[:3]] == [2, 2, 2]
    assert scored[0].votes["1/2"] == 3
    assert scored[1].answers[2] is None


def test_figures_of_graded_samples(scored):
    found = figures(scored)
    values = {name: entry["value"] for name, entry in found.items()}
    assert values == pytest.approx(
        {
            "avg@4": (3 + 2 + 1) / 12,
            "pass@2": (1 + 5 / 6 + 1 / 2) / 3,
            "pass@4": 1.0,
            # a: 3 to 1; b: 1 to 1 and two blanks, both right; c: 1 to 2
            "maj@2": (vote(scored[0], 2) + vote(scored[1], 2) + vote(scored[2], 2)) / 3,
            "maj@4": (1 + 1 + 0) / 3,
            "coverage": 1.0,
            "truncated": (0 + 1 / 4 + 0) / 3,
            "distinct_answers": 2.0,
            "tokens": 25.0,
        }
    )
    assert all(entry["low"] <= entry["value"] <= entry["high"] for entry in found.values())
    assert vote(scored[0], 1) == pytest.approx(0.75)
    assert vote(scored[1], 2) == pytest.approx(5 / 6)


def test_a_gold_that_nothing_compares_with_is_in_no_figure(scored):
    correct, samples = arm(scored)
    assert (correct.tolist(), samples.tolist()) == ([3, 2, 1], [4, 4, 4])


def test_one_sample_has_no_curve(scored):
    single = [
        Scored(one.question, one.samples[:1], one.correct and one.correct[:1], one.answers[:1]) for one in scored
    ]
    assert [name for name in figures(single) if "@" in name] == ["avg@1"]
    assert figures(single)["avg@1"]["stderr_samples"] is None


def test_countdown_counts_distinct_correct_solutions():
    problem = Problem((3, 5, 7), 22)
    texts = [*accepted_texts(problem), "3*5=15,15+7=23", "junk"]
    question = Question("q", problem.prompt)
    samples = {Key("q", i): Sample(Key("q", i), text, 5, False) for i, text in enumerate(texts)}
    (one,) = score("countdown", [question], samples, len(texts))
    assert one.correct == [True] * (len(texts) - 2) + [False, False]
    assert one.answers[-2:] == [None, None]
    assert len(one.votes) == one.solutions == len(distinct_solutions(problem))
    found = figures([one])
    assert found["distinct"]["value"] == one.solutions
    assert found["coverage"]["value"] == 1.0
    assert not any(name.startswith("maj") for name in found)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}; DRA_GRPO_DATA names another folder")
def test_recorded_groups_of_gsm8k():
    pytest.importorskip("math_verify")
    with (DATA / "gsm8k_re2_x12_s300.jsonl").open(encoding="utf-8") as lines:
        groups = [json.loads(line) for line in lines][:60]
    questions = [Question(group["id"], group["prompt"], group["answer"]) for group in groups]
    samples = {
        Key(group["id"], i): Sample(Key(group["id"], i), text, len(text.split()), False)
        for group in groups
        for i, text in enumerate(group["completions"])
    }
    scored = score("gsm8k", questions, samples, 12)
    agree = [
        graded == labelled
        for one, group in zip(scored, groups, strict=True)
        for graded, labelled, answer in zip(one.correct, group["correct"], one.answers, strict=True)
        if answer is not None
    ]
    assert len(agree) > 500
    assert sum(agree) / len(agree) > 0.99
    found = figures(scored)
    assert found["avg@12"]["value"] <= found["maj@12"]["value"] <= found["pass@12"]["value"]
