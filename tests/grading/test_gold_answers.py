"""What a gold allows: it alone decides whether a row can be scored."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from dra_grpo.grading.answers import MAX_LENGTH, check_golds, read_gold

NOTHING = [None, "", "  ", "$", "$$ $$", ".", r"\boxed{}", r"\text{}", "()", float("nan"), np.float32("nan"), b"5"]
NOTHING += [Decimal("nan"), True, np.True_, [], {}, {"answer": "5"}, ["5", "6"], [["5", "6"]], [None]]


@pytest.mark.parametrize("raw", NOTHING)
def test_nothing_to_compare(raw: object):
    assert read_gold(raw) is None


@pytest.mark.parametrize(
    "raw, value",
    [
        (5, 5),
        (0.5, Fraction(1, 2)),
        (1e-7, Fraction(1, 10**7)),
        ("$5$", 5),
        (r"so \boxed{4}, no, \boxed{5}.", 5),
        (1e23, 10**23),
        ("She has 600 + 634 = <<600+634=1234>>1234.\n#### 1,234", 1234),
        ("####5", 5),
        ("#### 4\n#### 5 \r\n", 5),
        ("\\boxed{4}\n#### 5", 4),
        (np.int64(5), 5),
        (np.float32(0.1), Fraction(1, 10)),
        (Fraction(1, 3), Fraction(1, 3)),
        (Decimal("1E+2"), 100),
        (["5"], 5),
        ((["$5$"],), 5),
        (np.array(["5"], dtype=object), 5),
        (np.array([5]), 5),
    ],
)
def test_numbers(raw: object, value: Fraction | int):
    assert read_gold(raw).number.value == value


@pytest.mark.parametrize("raw", ["#### 5\nas we saw", "we write #### 5", "####"])
def test_hashes_mark_an_answer_on_the_last_line_alone(raw: str):
    assert read_gold(raw).text == raw.replace("\n", " ")


def test_a_gold_too_long_to_parse_is_compared_as_text():
    gold = read_gold("x" * (MAX_LENGTH + 1))
    assert gold.long
    assert gold.number is None


def test_a_worked_solution_may_have_any_length():
    assert read_gold("because " * 10_000 + r"\boxed{5}").number.value == 5


WORKED = "First we add three and four, which gives seven, and then we double it to get fourteen in the end."


@pytest.mark.parametrize(
    "golds, faults, message",
    [
        (["1", r"\text{even}", ["2"], 0.5, "x^2", "Ann Lee"], 0, ""),
        (
            [{"ground_truth": "12"}, None, "5", "$$", ["1", "2"], float("nan"), b"5"],
            6,
            "6 of 7 golds cannot be scored (row 0, {'ground_truth': '12'}: a dict; name the key that",
        ),
        (["5", r"\frac{1}{2"], 1, "1 of 2 golds do not equal themselves"),
        (["5", WORKED, WORKED + r" \boxed{14}", WORKED + "\n#### 14"], 1, "1 of 4 golds are compared as one"),
        (["5", None, "1}", WORKED], 3, "scored (row 1, None: nothing to compare with); 1 of 4 golds do not equal"),
        ([], 0, "there are no golds"),
    ],
)
def test_golds_are_graded_against_themselves(golds: list, faults: int, message: str):
    report = check_golds(golds)
    assert sum(map(len, report.faults.values())) == faults
    assert report.total == len(golds)
    assert message in report.message
    assert (report.message == "") == (message == "")
    assert "\n" not in report.message
    assert report.useless == (2 * faults >= len(golds))
