"""Gold answers, read once: what a problem's own answer says about how the group can be scored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from numbers import Real

from dra_grpo.grading.boxed import last_boxed
from dra_grpo.grading.latex import plain, spelling, tidy, words
from dra_grpo.grading.numerals import Numeral, numeral

# Longer answers are compared as text alone; the longest of 1,175 benchmark golds has 204 characters.
MAX_LENGTH = 4096

# How a worked solution of GSM8K ends.
_LAST_LINE = re.compile(r"^####\s*(\S.*)\Z", re.MULTILINE)


@dataclass(frozen=True)
class Gold:
    """A gold answer that can be scored.

    Attributes:
        text: what to compare as mathematics, after `tidy`.
        spelling: what to compare as text.
        number: its value where it is a plain number.
        words: its normal form where it is words, which are never compared as mathematics.
        long: it exceeds `MAX_LENGTH` and is compared as text alone.
    """

    text: str
    spelling: str
    number: Numeral | None
    words: str | None
    long: bool


def read_gold(raw: object) -> Gold | None:
    """What a `solution` entry says, or None where nothing could ever be compared with it.

    Args:
        raw: an answer; a worked solution, of which the last `\\boxed{}` counts or, without one, what stands after
            `####` on the last line; or a number.

    Returns:
        The gold; None for None, NaN, other types, and whatever is empty once delimiters are off.

    >>> read_gold("$1,234$.").number
    Numeral(value=Fraction(1234, 1), exact=True)
    >>> read_gold(r"We add, so \\boxed{\\text{even}}.").words
    'even'
    >>> read_gold("3 + 4 = <<3+4=7>>7\\n#### 7").text
    '7'
    >>> [read_gold(nothing) for nothing in (None, "", "$$", float("nan"), r"\\boxed{}")]
    [None, None, None, None, None]
    """
    if isinstance(raw, bool) or not isinstance(raw, str | Real | Decimal):  # NumPy's and pandas' numbers are `Real`
        return None
    if raw != raw:  # NaN
        return None
    return _read(str(raw))


@lru_cache(maxsize=8192)
def _read(raw: str) -> Gold | None:
    content = last_boxed(raw)
    if content is None:
        line = _LAST_LINE.search(raw.strip())
        content = line[1] if line else raw.strip()
    if len(content) > MAX_LENGTH:
        return Gold(content, content, None, None, long=True)
    text = tidy(content)
    if not plain(text):
        return None
    return Gold(text, spelling(text), numeral(text), words(text), long=False)
