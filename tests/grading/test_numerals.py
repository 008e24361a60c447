"""Numbers as written: read exactly, against `Fraction` and `Decimal`, and compared within a bounded tolerance."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st

from dra_grpo.grading.latex import tidy
from dra_grpo.grading.numerals import based, numeral, same_number

# As written, and the value: where the writing is exact, and where it is not.
EXACT = {
    **{"5": 5, "+5": 5, "- 5": -5, "007": 7, "1,234": 1234, "12,345,678": 12345678, r"0.\overline{9}": 1},
    **dict.fromkeys(["1/2", r"\frac{1}{2}", r"\frac12", r"-\frac{-1}{2}"], Fraction(1, 2)),
    **dict.fromkeys(["-1 / 2", r"\frac{-1}{2}"], Fraction(-1, 2)),
    **{r"\frac 3 4": Fraction(3, 4), r"\frac1{20}": Fraction(1, 20), r"1\frac{4}{5}": Fraction(9, 5)},
    **{r"-1\frac{4}{5}": Fraction(-9, 5), r"137 \frac{1}{2}": Fraction(275, 2), "1 1/2": Fraction(3, 2)},
    **{"-2 3 / 4": Fraction(-11, 4), r"0.\overline{3}": Fraction(1, 3), r".\bar 3": Fraction(1, 3)},
    **{r"0.1\overline{6}": Fraction(1, 6), r"-1,234.\overline{142857}": Fraction(-8639, 7), r"0.\overline{0}": 0},
}
ROUNDED = {
    **{"0.5": Fraction(1, 2), ".5": Fraction(1, 2), "5.": 5, "1,234.5": Fraction(2469, 2), r"2\times10^9": 2 * 10**9},
    **{r"6.5 \times 10^{3}": 6500, r"6 \cdot 10^{-2}": Fraction(3, 50)},
    r"0.\overline{3} \times 10^2": Fraction(100, 3),
}


@pytest.mark.parametrize("text", [*EXACT, *ROUNDED])
def test_value_and_exactness(text: str):
    found = numeral(text)
    assert found is not None
    assert (found.value, found.exact) == ((EXACT | ROUNDED)[text], text in EXACT)


NO_NUMBERS = ["", "+", ".", "x", "5x", "1 2", "1,23", "0,123", "1/0", r"\frac{1}{0}", r"2\frac{-1}{2}", "1 234/5"]
NO_NUMBERS += ["1 2/2", r"0.\overline{}", r"3\overline{3}", "--5", "٣", "5!"]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_anything_else_is_no_number(text: str):
    assert numeral(text) is None


def test_numbers_that_would_be_long_to_compute_with_are_left_to_the_workers():
    assert numeral(r"1 \times 10^{99999}") is None
    assert numeral("9" * 301) is None


@settings(deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_decimals_are_read_as_decimal_reads_them(value: Decimal):
    assert numeral(f"{value:f}").value == Fraction(value)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_is_read_exactly_as_it_prints(value: float):
    assert numeral(tidy(repr(value))).value == Fraction(Decimal(repr(value)))


@settings(deadline=None)
@given(st.integers(-(10**30), 10**30))
def test_thousands_separators_change_nothing(value: int):
    assert numeral(f"{value:,}").value == value


SAME = ["1/3 = 0.333333", "0.333333 = 1/3", "100 = 100.0000004", "0 = 0.000", "-0 = 0", r"1/3 = 0.\overline{3}"]
SAME += [r"0.0000672 = 6.72 \times 10^{-5}", r"0.\overline{12} = 4/33", r"0.\overline{12} = 0.121212"]
OTHER = ["1/3 = 0.33333", "1/3 = 333333/1000000", "100 = 100.000001", "0.0000672 = 0", "0.0000672 = 0.0000673"]
OTHER += ["0 = 0.0000001", r"1/3 = 0.3\overline{4}", r"0.\overline{12} = 0.12", r"1.6 \times 10^{-19} = 0"]
OTHER += ["12345678901234567890 = 12345678901234567891"]


@pytest.mark.parametrize("pair", [*SAME, *OTHER])
def test_same_number(pair: str):
    gold, answer = map(numeral, pair.split(" = "))
    assert same_number(gold, answer) is (pair in SAME)


@settings(deadline=None)
@given(st.fractions(), st.fractions())
def test_exact_writing_is_compared_exactly(left: Fraction, right: Fraction):
    assert same_number(numeral(str(left)), numeral(str(right))) is (left == right)


def test_bases():
    assert based("4210_{5}") == based("4210_5") == ("4210", 5)
    assert based("0052_8") == ("52", 8)
    assert based("52") is None
    assert based("x_1") is None
