from __future__ import annotations

import numpy as np
import pytest

from dra_grpo.evaluation.benchmarks import Problem
from dra_grpo.evaluation.results import problem_metrics
from dra_grpo.evaluation.samples import Sample
from dra_grpo.evaluation.scoring import Scored, score
from dra_grpo.tasks import countdown
from dra_grpo.tasks.countdown import accepted_texts, distinct_solutions


def metrics(one: Scored) -> dict[str, float]:
    return problem_metrics(one, np.random.default_rng(0))


def scored_sums(answers: dict[str, list[str]], golds: dict[str, object], extract: str = "boxed") -> list[Scored]:
    problems = [Problem(id, f"problem {id}", golds[id]) for id in answers]
    samples = {
        (id, i): Sample(id, i, text, 10 * (i + 1), truncated="boxed" not in text)
        for id, texts in answers.items()
        for i, text in enumerate(texts)
    }
    return score("math500", problems, samples, 4, extract)


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
    assert [len(one.votes) for one in scored[:3]] == [2, 2, 2]
    assert scored[0].votes["1/2"] == 3
    assert scored[1].hows == ("text", "mathematics", "unboxed", "unboxed")


def test_metrics_of_a_problem(scored):
    names = ["avg@4", "pass@2", "pass@4", "maj@2", "maj@4", "coverage", "truncated", "distinct_answers", "tokens"]
    first, second, third = (metrics(one) for one in scored[:3])
    assert list(first) == names
    # 3 to 1; 1 to 1 and two blanks, both right; 1 right, 2 wrong alike, 1 blank
    assert [one["maj@4"] for one in (first, second, third)] == [1, 1, 0]
    assert (first["maj@2"], second["maj@2"]) == pytest.approx((0.75, 5 / 6), abs=0.05)
    assert first == {**first, "avg@4": 0.75, "pass@2": 1.0, "pass@4": 1.0, "coverage": 1.0, "truncated": 0.0,
                     "distinct_answers": 2, "tokens": 25.0}  # fmt: skip
    assert (second["pass@2"], third["pass@2"]) == pytest.approx((5 / 6, 1 / 2))
    assert second["truncated"] == 0.25


def test_answers_without_a_box_are_read_when_asked_for():
    texts = {"a": ["The answer is 7.", "so\n#### 7", r"\boxed{1} and \boxed{7}", "I do not know"]}
    (strict,), (lenient,) = (scored_sums(texts, {"a": "7"}, extract) for extract in ("boxed", "lenient"))
    assert (strict.correct, lenient.correct) == ([False, False, True, False], [True, True, False, False])
    assert strict.hows.count("unboxed") == 3


def test_countdown_counts_distinct_correct_solutions():
    problem = countdown.Problem((3, 5, 7), 22)
    texts = [*accepted_texts(problem), "3*5=15,15+7=23", "junk"]
    asked = Problem("q", problem.prompt)
    samples = {("q", i): Sample("q", i, text, 5, False) for i, text in enumerate(texts)}
    (one,) = score("countdown", [asked], samples, len(texts))
    assert one.correct == [True] * (len(texts) - 2) + [False, False]
    assert one.answers[-2:] == [None, None]
    assert len(one.votes) == one.solutions == len(distinct_solutions(problem))
    found = metrics(one)
    assert (found["distinct"], found["coverage"]) == (one.solutions, 1.0)
    assert not any(name.startswith("maj") for name in found)
