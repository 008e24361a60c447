"""What a completion answers, what a gold says, and whether a data set's golds can be scored at all."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import Literal, get_args

from dra_grpo.errors import UsageError
from dra_grpo.grading.latex import choice, plain, spelling, tidy, words
from dra_grpo.grading.numerals import Numeral, numeral

# Longer answers are compared as text alone; the longest of 1,175 benchmark golds has 204 characters.
MAX_LENGTH = 4096

Extract = Literal["boxed", "lenient"]

_BOX = re.compile(r"\\boxed\s*\{")
# A doubled backslash before `boxed` is a box that was escaped twice; any other backslash hides the next character.
_TOKEN = re.compile(r"\\\\?boxed\s*\{|\\.|[{}]", re.DOTALL)

# How a worked solution of GSM8K ends.
_LAST_LINE = re.compile(r"^####\s*(\S.*)\Z", re.MULTILINE)

# What `extract="lenient"` reads besides.
_JOINED = re.compile(r"\\?[\s$)\]]*(?:,|(?:,\s*)?(?:and|or))[\s$]*(?:\\[(\[])?\s*")
_STATED = re.compile(
    r"\banswer\b[^.:=\n]{0,80}?(?:\bis\b|:|=)[\s:*]*"
    r"(?:\$\$?([^$]{1,400})\$(?!\d)|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]|([^\n]+))",
    re.IGNORECASE | re.DOTALL,
)
_SENTENCE_END = re.compile(r"\*\*|\.(?:\s|$)|,?\s(?:because|since|which|so|as)\s")
_NUMBER = re.compile(r"(?<![\w.])-?[0-9][0-9,]*(?:\.[0-9]+)?")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_MAX_WORDS = 8  # a name or a short sentence is an answer; more words without a box are a worked solution


def final_answer(text: str, extract: Extract = "boxed") -> str | None:
    """The answer that a completion states after its last `</think>`, or in all of it if there is none.

    "boxed" is the strict rule that rewards use: the content of the last balanced `\\boxed{}`. "lenient" is for models
    that do not box; the first of these that is there counts:

    1. the last box, with those that `and`, `or` or a comma joins to it: a list;
    2. what follows `####` on the last line;
    3. what follows the last "answer is" or "answer:", up to the end of the sentence or of its formula;
    4. the last number.

    Args:
        text: a completion.
        extract: the rule.

    Returns:
        The answer, stripped; None where there is none.

    Raises:
        UsageError: no such rule.

    >>> final_answer(r"<think>is it \\boxed{4}?</think> No: \\boxed{\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    >>> final_answer("So the answer is 7.") is None
    True
    >>> [final_answer(text, "lenient") for text in (r"\\boxed{1} and \\boxed{2}", "The answer is $x^2$.", "7 of 9.")]
    ['1, 2', 'x^2', '9']
    """
    if extract not in get_args(Extract):
        raise UsageError(f"extract={extract!r} is no rule for finding an answer; expected 'boxed' or 'lenient'")
    text = text.rpartition("</think>")[2]
    return last_boxed(text) if extract == "boxed" else _lenient(text)


def _lenient(text: str) -> str | None:
    joined: list[str] = []
    end = 0
    for opening, start, close in _boxes(text):
        if not _JOINED.fullmatch(text[end:opening]):
            joined = []
        joined.append(text[start:close].strip())
        end = close + 1
    if joined:
        return ", ".join(joined)
    if line := _LAST_LINE.search(text.strip()):
        return line[1].strip()
    for stated in reversed(list(_STATED.finditer(text))):
        answer = stated[1] or stated[2] or stated[3] or _SENTENCE_END.split(stated[4], maxsplit=1)[0]
        follows = not stated[4] or re.search(r"[0-9\\]", answer) or len(stated[4].split()) <= 3
        if answer.strip() and follows:  # "The answer is found as follows" states none
            return answer.strip()
    numbers = _NUMBER.findall(text)
    return numbers[-1].rstrip(",") if numbers else None


def last_boxed(text: str) -> str | None:
    """The content of the last balanced `\\boxed{}`: the outermost where boxes nest. Linear in the length of `text`.

    `\\{` and `\\}` are characters, not braces; a box that never closes is skipped.

    >>> last_boxed(r"\\boxed{1}, so \\boxed{\\{x : x > 2\\}} and \\boxed{3")
    '\\\\{x : x > 2\\\\}'
    >>> last_boxed("5") is None
    True
    """
    return ([text[start:close].strip() for _, start, close in _boxes(text)] or [None])[-1]


def _boxes(text: str) -> Iterator[tuple[int, int, int]]:
    """The balanced boxes: where each opens, where its content starts, and where the content ends."""
    position = 0
    while opening := _BOX.search(text, position):
        open_braces: list[tuple[bool, int, int]] = []
        last, position = None, len(text)
        for token in _TOKEN.finditer(text, opening.start()):
            character = token.group()
            if character == "}":
                is_box, start, content = open_braces.pop()
                last = (start, content, token.start()) if is_box else last
                if not open_braces:
                    position = token.end()
                    break
            elif character.endswith("{") and character != "\\{":
                open_braces.append((character != "{", token.start(), token.end()))
        if last:
            yield last


@dataclass(frozen=True)
class Gold:
    """A gold answer that can be scored.

    Attributes:
        written: the answer as it was written, which identifies it.
        text: what to compare as mathematics: `tidy`, and without a choice's letter if there is more.
        spelling: what to compare as text.
        number: its value where it is a plain number.
        words: its normal form where it is words, which are never compared as mathematics.
        choice: the letter, where it is one of several choices: `C` or, with its text, `\\textbf{(C)}\\ 15`.
        long: it exceeds `MAX_LENGTH` and is compared as text alone.
    """

    written: str
    text: str
    spelling: str
    number: Numeral | None
    words: str | None
    choice: str | None = None
    long: bool = False


def read_gold(raw: object) -> Gold | None:
    """What a `solution` entry says, or None where nothing could ever be compared with it.

    Args:
        raw: an answer; a worked solution, of which the last `\\boxed{}` counts or, without one, what stands after
            `####` on the last line; a number; or a list of one of these.

    Returns:
        The gold; None for None, NaN, other types, and whatever is empty once delimiters are off.

    >>> read_gold("$1,234$.").number.value
    Fraction(1234, 1)
    >>> read_gold(r"We add, so \\boxed{\\text{even}}.").words
    'even'
    >>> read_gold("3 + 4 = <<3+4=7>>7\\n#### 7").text, read_gold(["12"]).text
    ('7', '12')
    >>> [read_gold(nothing) for nothing in (None, "", "$$", float("nan"), r"\\boxed{}", {"answer": "5"}, ["1", "2"])]
    [None, None, None, None, None, None, None]
    """
    raw = _unwrapped(raw)
    # NumPy's and pandas' numbers are `Real`; NaN is no number.
    is_one = isinstance(raw, str | Real | Decimal) and not isinstance(raw, bool) and raw == raw
    return _read(str(raw)) if is_one else None


def _unwrapped(raw: object) -> object:
    """The one entry of a list, tuple or array of one, else `raw` itself."""
    if not isinstance(raw, str | Real) and hasattr(raw, "tolist"):
        raw = raw.tolist()  # pyright: ignore[reportAttributeAccessIssue]
    while isinstance(raw, list | tuple) and len(raw) == 1:
        raw = raw[0]
    return raw


@lru_cache(maxsize=8192)
def _read(raw: str) -> Gold | None:
    content = last_boxed(raw)
    if content is None:
        line = _LAST_LINE.search(raw.strip())
        content = line[1] if line else raw.strip()
    if len(content) > MAX_LENGTH:
        return Gold(content, content, content, None, None, long=True)
    text = tidy(content)
    if not plain(text):
        return None
    letter, behind = choice(text) or (None, "")
    compared = behind or letter or text
    return Gold(content, compared, spelling(compared), numeral(compared), words(behind or text), letter)


@dataclass
class GoldReport:
    """What became of a data set's golds when each was graded against itself, boxed.

    Attributes:
        total: how many golds there are.
        faults: what is wrong -> the golds with which it is, each as row, text and reason: those that cannot be scored,
            those that are not equal to themselves, such as unbalanced braces, and long texts without a box, worked
            solutions mostly, which only the same text would equal.
    """

    total: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def useless(self) -> bool:
        """Whether most golds, or all of none, cannot be met by any ordinary answer: a reason to refuse the data."""
        return 2 * sum(map(len, self.faults.values())) >= self.total

    @property
    def message(self) -> str:
        """What is wrong with how many golds, with an example of each kind, in one line; "" where nothing is."""
        found = [f"{len(rows)} of {self.total} golds {what} ({rows[0]})" for what, rows in self.faults.items()]
        return "; ".join(found) if self.total else "there are no golds"


def check_golds(golds: Iterable[object]) -> GoldReport:
    """Grade the golds of a data set against themselves, before anything is spent on them.

    Args:
        golds: the `solution` column, row by row.

    Returns:
        The rows that cannot be scored, do not equal themselves, or are compared as one long text.

    >>> report = check_golds(["12", {"ground_truth": "12"}, ["1", "2"], r"\\frac{1}{2}"])
    >>> report.message
    "2 of 4 golds cannot be scored (row 1, {'ground_truth': '12'}: a dict; name the key that holds the answer)"
    >>> report.useless, check_golds(["12", "x"]).message
    (True, '')
    """
    report = GoldReport()
    for row, raw in enumerate(golds):
        report.total += 1
        gold = read_gold(raw)
        if gold is None:
            is_dict = isinstance(_unwrapped(raw), dict)
            why = "a dict; name the key that holds the answer" if is_dict else "nothing to compare with"
            fault = "cannot be scored", why
        elif gold.long or (gold.number is None and len(_PROSE.findall(gold.text)) >= _MAX_WORDS):
            fault = "are compared as one long text", r"expected an answer, a \boxed{} or a last line '#### answer'"
        elif (again := read_gold(rf"\boxed{{{gold.written}}}")) is None or again.spelling != gold.spelling:
            fault = "do not equal themselves", f"in a box it is read as {again and again.text!r}"
        else:
            continue
        report.faults.setdefault(fault[0], []).append(f"row {row}, {raw!r:.60}: {fault[1]}")
    return report
