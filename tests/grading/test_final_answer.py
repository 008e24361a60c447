"""Where the answer is: boxes beside a plain reference parser, the lenient rule, and inputs that are slow to read."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings, strategies as st

from dra_grpo.errors import UsageError
from dra_grpo.grading.answers import final_answer, last_boxed

BOXES = {
    "5": [r"\boxed{5}", r"\boxed{ 5 }", r"\boxed {5}", r"\\boxed{5}", r"\\\boxed{5}"],
    "3": [r"{ \boxed{3} ", r"} \boxed{3}", r"\boxed{3}}}}}"],
    "2": [r"\boxed{1} then \boxed{2}"],
    "1": [r"\boxed{1} and \boxed{2", r"\boxed{2 and \boxed{1}"],
    "": [r"\boxed{}", r"\boxed{1} \boxed{}"],
    r"\frac{1}{2}": [r"\boxed{\frac{1}{2}}"],
    r"\{1, 2\}": [r"\boxed{\{1, 2\}}"],
    r"x : x > 2 \}": [r"\boxed{x : x > 2 \}}"],
    r"\left\{ x \right.": [r"\boxed{\left\{ x \right.}"],
    r"a \\ b": [r"\boxed{a \\ b}"],
    r"5 = \boxed{5}": [r"\boxed{5 = \boxed{5}}"],
    None: [r"\boxed{5\}", r"\boxed 5", r"\fbox{5}", "boxed{5}", "5", ""],
}


@pytest.mark.parametrize("content, text", [(content, text) for content in BOXES for text in BOXES[content]])
def test_last_box(content: str | None, text: str):
    assert last_boxed(text) == content


@pytest.mark.parametrize(
    "text, answer",
    [
        (r"<think>\boxed{4}</think>\boxed{5}", "5"),
        (r"<think>\boxed{4}</think> so five", None),
        (r"<think>\boxed{4}", "4"),
        (r"\boxed{4}</think>", None),
        (r"</think>\boxed{4}</think>\boxed{5}", "5"),
    ],
)
def test_only_what_follows_the_reasoning_counts(text: str, answer: str | None):
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    "text, answer",
    [
        (r"\boxed{1} and \boxed{2}", "1, 2"),
        (r"$\boxed{1}$, $\boxed{2}$, and $\boxed{3}$.", "1, 2, 3"),
        (r"\(\boxed{1}\) or \(\boxed{2}\)", "1, 2"),
        (r"\boxed{1} is too small, so \boxed{2}", "2"),
        ("\\boxed{5}\n\n\\boxed{5}", "5"),
        (r"The answer is 7. \boxed{5}", "5"),
        (r"<think>\boxed{4}</think> The answer is 7.", "7"),
        ("The answer is 7.", "7"),
        ("The answer is 1.5.", "1.5"),
        ("The final answer is: **42**, as 6 times 7", "42"),
        ("**Answer:** 42 apples", "42 apples"),
        ("The answer is $18 because he pays $3 for 6.", "$18"),
        ("The answer is $x^2$ for every $x$", "x^2"),
        ("The final answer is:\n\n\\[\n\\frac{1}{2}\n\\]", r"\frac{1}{2}"),
        ("The answer is \\(5\\).\nThe answer is \\(6\\).", "6"),
        ("The answer is found as follows, step by step: 3 + 4 = 7", "7"),
        ("The answer is yes.", "yes"),
        ("4 + 3 = 7\n#### 7", "7"),
        ("The answer is 8\n#### 7", "7"),
        ("He sells 1,234.50, that is -3.", "-3"),
        ("between 10-12,", "12"),
        ("no number", None),
        ("", None),
    ],
)
def test_the_lenient_rule_reads_what_models_write_without_a_box(text: str, answer: str | None):
    assert final_answer(text, "lenient") == answer


def test_no_such_rule():
    with pytest.raises(UsageError, match=r"^extract='last' is no rule .*; expected 'boxed' or 'lenient'$"):
        final_answer("5", "last")


def boxes_by_hand(text: str) -> str | None:
    """Every opening tried in turn, character by character; the box that closes last wins."""
    best_end, best = -1, None
    for start in range(len(text)):
        if not text.startswith(r"\boxed{", start):
            continue
        depth, position = 1, start + 7
        while position < len(text) and depth:
            if text[position] == "\\" and not text.startswith(r"\boxed{", position):
                position += 2
                continue
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            position += 1
        if depth == 0 and position > best_end:
            best_end, best = position, text[start + 7 : position - 1].strip()
    return best


@settings(deadline=None)
@given(st.lists(st.sampled_from([r"\boxed{", "{", "}", r"\{ ", r"\} ", "x", " "]), max_size=14).map("".join))
def test_agrees_with_a_parser_that_tries_every_opening(text: str):
    assert last_boxed(text) == boxes_by_hand(text)


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 150_000,
        "{" * 1_000_000,
        "\\" * 1_000_000,
        r"\boxed" + " " * 1_000_000,
        r"\boxed{" + "}{" * 500_000,
        r"\boxed{1}" * 100_000,
        "answer" + " " * 1_000_000,
        "the answer is $" * 70_000,
        "answer is \\(" * 90_000,
        "1," * 500_000,
    ],
    ids=["boxes", "braces", "backslashes", "spaces", "closes", "many", "blank", "dollars", "brackets", "commas"],
)
def test_a_megabyte_takes_linear_time(text: str):
    start = time.process_time()
    last_boxed(text)
    final_answer(text, "lenient")
    assert time.process_time() - start < 5  # a quadratic scan would need hours
