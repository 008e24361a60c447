"""How answers are brought to one spelling, and what must not be taken off them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings, strategies as st

from dra_grpo.grading.latex import choice, spelling, tidy, words
from dra_grpo.grading.units import without_unit

TABLE = yaml.safe_load(Path(__file__).with_name("spelling.yaml").read_text(encoding="utf-8"))
CONTROLS = [("1 \t 2", "1 2"), ("\x005\x07", "5"), ("1\x002", "1 2"), ("\u202e5\u200b", "5")]


@pytest.mark.parametrize("text, tidied", [*TABLE["tidy"], *CONTROLS])
def test_tidy(text: str, tidied: str):
    assert tidy(text) == tidied


@pytest.mark.parametrize("text, number", TABLE["units that come off"])
def test_units_come_off(text: str, number: str):
    assert without_unit(text) == number


@pytest.mark.parametrize("text", TABLE["no units"])
def test_what_is_no_unit_stays(text: str):
    assert without_unit(text) == text


@pytest.mark.parametrize(
    "left, right, same",
    [
        ("p - q", "p-q", True),
        (r"\text{east}", "east", True),
        ("( 3 , 4 ]", "(3,4]", True),
        ("1 2", "12", False),
        ("a b", "ab", False),
        ("X", "x", False),
    ],
)
def test_spelling_ignores_fonts_and_idle_spaces_alone(left: str, right: str, same: bool):
    assert (spelling(left) == spelling(right)) is same


@pytest.mark.parametrize(
    "text, word",
    [
        (r"\text{(C)}", "c"),
        (r"\textbf{C}", "c"),
        (r"\text{June  Smith}", "june smith"),
        ("Evelyn", "evelyn"),
        ("x", None),
        ("abc", None),
        ("x y z w", None),
        (r"\text{5}", None),
        ("2 even", None),
    ],
)
def test_words(text: str, word: str | None):
    assert words(text) == word


@settings(deadline=None)
@given(st.text(max_size=60))
def test_tidy_settles_and_never_fails(text: str):
    once = spelling(tidy(text))
    assert len(once) <= 20 * len(text) + 20
    assert spelling(once) == once or "\\" in once  # unwrapping can expose another font command


@pytest.mark.parametrize(
    "text",
    [
        "$" * 4096,
        r"\text{" * 600,
        "5" + " " * 4000 + "x",
        r"5\text{m}" * 450 + "x",
        r"5\text{" + "m" * 4000,
        r"5 \frac{\text{m}" * 200,
        "5" + r" \cdot\text{m}" * 300 + "x",
        "{" * 2000 + "5" + "}" * 2000,
        r"\mathbf{" * 450 + "5" + "}" * 450,
        r"\begin{aligned}" * 270,
        r"\begin{align}" + r"\\" * 2000 + r"\end{align}",
        "√(" * 2000,
        "½" * 4000,
        "*" * 4000,
        "a**" * 1300,
        "2" + " 千" * 2000,
        "(C) " + "(D " * 1300,
        "." * 4000 + "x",
    ],
)
def test_the_longest_text_that_is_tidied_takes_little_time(text: str):
    start = time.process_time()
    tidied = tidy(text)
    spelling(tidied)
    words(tidied)
    choice(tidied)
    assert time.process_time() - start < 2
