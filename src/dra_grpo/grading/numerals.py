"""Plain numbers, read exactly: integers, decimals, fractions, mixed numbers, powers of ten, percentages, bases."""

import re
from dataclasses import dataclass, replace
from fractions import Fraction

_INTEGER = r"(?:[0-9]{1,300}|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,90})"
_SIGN = r"(?P<sign>[+-]?)\s*"
_CYCLE = r"(?:\\(?:overline|bar|dot)\s*(?:\{\s*(?P<cycle>[0-9]{1,100})\s*\}|(?P<only>[0-9])))"
_DECIMAL = re.compile(
    rf"{_SIGN}(?P<integer>{_INTEGER})?(?:\.(?P<decimals>[0-9]{{0,300}}){_CYCLE}?)?"
    r"(?:\s*\\(?:times|cdot)\s*10\s*\^\s*(?:\{\s*(?P<exponent>[+-]?[0-9]{1,3})\s*\}|(?P<digit>[0-9])))?"
)
_FRACTION = re.compile(
    rf"{_SIGN}(?:(?P<whole>{_INTEGER})?\s*"
    rf"\\frac\s*(?:\{{\s*(?P<minus>-?)\s*(?P<a>{_INTEGER})\s*\}}|(?P<b>[0-9]))"
    rf"\s*(?:\{{\s*(?P<c>{_INTEGER})\s*\}}|(?P<d>[0-9]))"
    rf"|(?:(?P<units>{_INTEGER})\s+)?(?P<e>{_INTEGER})\s*/\s*(?P<f>{_INTEGER}))"
)
_BASED = re.compile(r"(?P<digits>[0-9]{1,300})_\s*(?:\{\s*(?P<long>[0-9]{1,3})\s*\}|(?P<short>[0-9]))")


@dataclass(frozen=True)
class Numeral:
    """A number as written: its exact value, whether the writing was exact, and whether a percent sign follows it.

    A decimal point is not exact, unless its digits repeat under a bar, and neither is a power of ten. The value of
    `18%` is 18.
    """

    value: Fraction
    exact: bool
    percent: bool = False


def numeral(text: str) -> Numeral | None:
    """The number that `tidy` text spells out, or None where it is anything else.

    >>> numeral("-1,234.50%"), numeral(r"1\\frac{4}{5}").value, numeral(r"6 \\times 10^{-2}").value
    (Numeral(value=Fraction(-2469, 2), exact=False, percent=True), Fraction(9, 5), Fraction(3, 50))
    >>> numeral(r"0.1\\overline{6}").value, numeral("2 3/4").value
    (Fraction(1, 6), Fraction(11, 4))
    >>> numeral("1/0") is None, numeral("2x") is None
    (True, True)
    """
    bare = text.removesuffix("%").rstrip()
    found = _decimal(bare) or _fraction(bare)
    return replace(found, percent=True) if found and bare != text else found


def same_number(gold: Numeral, answer: Numeral) -> bool:
    """Equality of two numbers: exact where both are written exactly, else to 5e-7 · min(1, 10·|gold|).

    The tolerance is half of the sixth decimal, and never more than five parts in a million of the gold: a small
    number is not equal to zero. A percentage of 1 or more may do without its sign: `18%` is 18 and 0.18.

    >>> same_number(numeral("1/3"), numeral("0.333333")), same_number(numeral("1/3"), numeral("0.33"))
    (True, False)
    >>> same_number(numeral("0.0000672"), numeral("0.000067")), same_number(numeral("18%"), numeral("0.18"))
    (False, True)
    """
    if gold.percent != answer.percent:
        percentage = gold if gold.percent else answer
        if abs(percentage.value) >= 1 and same_number(replace(gold, percent=False), replace(answer, percent=False)):
            return True
        gold, answer = _whole(gold), _whole(answer)
    if gold.value == answer.value:
        return True
    if gold.exact and answer.exact:
        return False
    return abs(gold.value - answer.value) <= Fraction(5, 10**7) * min(Fraction(1), 10 * abs(gold.value))


def _whole(number: Numeral) -> Numeral:
    """A percentage as a share of 1."""
    return Numeral(number.value / 100, number.exact) if number.percent else number


def based(text: str) -> tuple[str, int] | None:
    """Digits and base of a numeral such as `52_8`.

    >>> based("52_8"), based("4210_{5}"), based("a_1") is None
    (('52', 8), ('4210', 5), True)
    """
    match = _BASED.fullmatch(text)
    return (match["digits"].lstrip("0") or "0", int(match["long"] or match["short"])) if match else None


def _decimal(text: str) -> Numeral | None:
    match = _DECIMAL.fullmatch(text)
    if not match or not (match["integer"] or match["decimals"] or match["cycle"] or match["only"]):
        return None
    decimals = match["decimals"] or ""
    cycle = match["cycle"] or match["only"] or ""
    power = int(match["exponent"] or match["digit"] or 0) - len(decimals)
    exact = (cycle or match["decimals"] is None) and match["exponent"] is None and match["digit"] is None
    digits = (match["integer"] or "0").replace(",", "") + decimals
    value = (int(digits) + Fraction(int(cycle or 0), 10 ** len(cycle) - 1 or 1)) * Fraction(10) ** power
    return Numeral(-value if match["sign"] == "-" else value, bool(exact))


def _fraction(text: str) -> Numeral | None:
    match = _FRACTION.fullmatch(text)
    if not match:
        return None
    above = _integer(match["a"] or match["b"] or match["e"])
    below = _integer(match["c"] or match["d"] or match["f"])
    if below == 0 or (match["whole"] and match["minus"]):  # `2\frac{-1}{2}` is a product
        return None
    if match["units"] and above >= below:  # `1 234/5` may be 1,234 / 5
        return None
    value = _integer(match["whole"] or match["units"] or "0") + Fraction(above, below)
    return Numeral(-value if (match["sign"] == "-") != (match["minus"] == "-") else value, True)


def _integer(digits: str) -> int:
    return int(digits.replace(",", ""))
