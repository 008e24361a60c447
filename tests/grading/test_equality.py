"""Which answers equal a gold and which near misses do not, by kind; `equality.yaml` has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dra_grpo.grading.grader import Grader

KINDS = yaml.safe_load(Path(__file__).with_name("equality.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    grader = Grader(1, 2.0, 1 << 30)
    yield grader
    grader.pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_right_answers_are_taken_and_near_misses_are_not(grader: Grader, kind: str):
    rows = [(gold, answer, score) for gold, *sides in KINDS[kind] for score in (1, 0) for answer in sides[1 - score]]
    grades = grader.grade([rf"\boxed{{{answer}}}" for _, answer, _ in rows], [gold for gold, _, _ in rows])
    mistakes = [(*row, grade.how) for row, grade in zip(rows, grades, strict=True) if grade.score != row[2]]
    assert mistakes == []


def test_a_choice_and_its_value_do_not_share_what_is_remembered(grader: Grader):
    golds = [r"\textbf{(C)}\ 15", "15", r"\textbf{(D)}\ 15"] * 2
    assert [grade.score for grade in grader.grade([r"\boxed{C}"] * 6, golds)] == [1.0, 0.0, 0.0] * 2
