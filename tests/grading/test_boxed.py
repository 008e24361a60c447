"""The last balanced box: worked cases, a plain reference parser, and inputs that are slow for a careless one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dra_grpo.grading.boxed import final_answer, last_boxed


@pytest.mark.parametrize(
    "text, content",
    [
        (r"\boxed{5}", "5"),
        (r"\boxed{ 5 }", "5"),
        (r"\boxed {5}", "5"),
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{x : x > 2 \}}", r"x : x > 2 \}"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"\boxed{a \\ b}", r"a \\ b"),
        (r"\\boxed{5}", "5"),
        (r"\\\boxed{5}", "5"),
        (r"\boxed{5 = \boxed{5}}", r"5 = \boxed{5}"),
        (r"\boxed{1} and \boxed{2", "1"),
        (r"\boxed{2 and \boxed{1}", "1"),
        (r"{ \boxed{3} ", "3"),
        (r"} \boxed{3}", "3"),
        (r"\boxed{3}}}}}", "3"),
        (r"\boxed{}", ""),
        (r"\boxed{1} \boxed{}", ""),
        (r"\boxed{5\}", None),
        (r"\boxed 5", None),
        (r"\fbox{5}", None),
        ("boxed{5}", None),
        ("5", None),
        ("", None),
    ],
)
def test_last_box(text: str, content: str | None):
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
    ],
    ids=["boxes", "braces", "backslashes", "spaces", "closes", "many"],
)
def test_a_megabyte_takes_linear_time(text: str):
    start = time.process_time()
    last_boxed(text)
    assert time.process_time() - start < 5  # a quadratic scan would need hours
