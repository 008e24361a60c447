"""One spelling for what people write in several: delimiters, spacing, scientific notation, words."""

from __future__ import annotations

import re

from dra_grpo.grading.units import without_unit

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys((*range(32), 127, 0xA0, 0x2009, 0x202F), " "),
        **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF)),  # invisible
        "−": "-",
        "–": "-",
        "×": r"\times ",
        "·": r"\cdot ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "°": r"^\circ",
        "。": ".",
    }
)

# Applied in this order, to texts of at most MAX_LENGTH characters (gold.py).
_REWRITES = [
    (re.compile(r"\\(?:displaystyle|textstyle|limits)(?![A-Za-z])"), " "),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)\s*\.(?!\d)"), ""),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\(g|l)eqslant(?![A-Za-z])"), r"\\\1e"),
    (re.compile(r"(?<=\$),(?=\$)"), ", "),  # `$100$,$200$` is a list, not 100,200
    (re.compile(r"\\\$|[$€£]"), ""),
    (re.compile(r"(?<!\\)\\[()\[\]]"), " "),
    (re.compile(r"(?<=[0-9])(?:\{,\}|,?\\!|\\,)\s*(?=[0-9]{3}(?![0-9]))"), ","),
    (re.compile(r"(?<!\\)\\!"), ""),
    (re.compile(r"(?<!\\)\\[,;:> ]|\\q?quad(?![A-Za-z])|~"), " "),
    (re.compile(r"\\%"), "%"),
    (re.compile(r"(?<=[0-9}])\s*(?:\\text\s*\{\s*percent\s*\}|percent(?![a-z]))"), "%"),
    (re.compile(r"\^?\s*\\degree(?![A-Za-z])"), r"^\\circ"),
    (re.compile(r"\\varnothing(?![A-Za-z])"), r"\\emptyset"),
    (re.compile(r"\\mathbb\s+([A-Z])"), r"\\mathbb{\1}"),
    (re.compile(r"^\s*(?:=|\\approx(?![A-Za-z]))"), ""),
    (re.compile(r"(?<![\w.])([0-9]{1,40}(?:\.[0-9]{0,40})?)[eE]([+-]?[0-9]{1,4})(?![\w.])"), r"\1 \\times 10^{\2}"),
]

_WRAPPED = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox|operatorname|bf|rm)\s*\{([^{}]*)\}"
)
_QUANTITY = re.compile(r"\s*[-+]?\s*\.?[0-9]")
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")
_NAME = re.compile(r"\(?[A-Za-z][A-Za-z' -]*\)?")


def tidy(text: str) -> str:
    """One answer in a common spelling: no maths delimiters, sizes or spacing commands, trailing period or unit.

    Units are taken off, not compared: `5 cm` is 5. Scientific notation becomes what LaTeX means by it.

    >>> print(tidy(r"$\\displaystyle\\left(\\dfrac{1}{2}, 3\\right)$."))
    (\\frac{1}{2}, 3)
    >>> print(tidy(r"\\$10,\\!080 \\text{ per year}"), tidy("6.022e23"), tidy(r"90^{\\circ}"), sep="; ")
    10,080; 6.022 \\times 10^{23}; 90
    """
    text = text.translate(_CHARACTERS)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = " ".join(text.split()).rstrip(".").rstrip()
    wrapped = _WRAPPED.fullmatch(text)
    return without_unit(wrapped[1].strip() if wrapped and _QUANTITY.match(wrapped[1]) else text)


def spelling(text: str) -> str:
    """What is left to compare once `tidy` text is stripped of fonts and of spaces that mean nothing.

    >>> spelling(r"\\text{east}"), spelling("( 3 , x y ]"), spelling("1 2")
    ('east', '(3,x y]', '1 2')
    """
    return _LOOSE_SPACE.sub("", _WRAPPED.sub(r"\1", text)).strip()


def words(text: str) -> str | None:
    """A name, a word or the letter of a choice in one spelling; None where `tidy` text may be mathematics.

    Letters outside a font command are words from four in a row on; fewer may be a product.

    >>> words(r"\\text{(C)}"), words(r"\\text{Evelyn}"), words("even"), words("x y") is None
    ('c', 'evelyn', 'even', True)
    """
    wrapped = _WRAPPED.fullmatch(text)
    content = (wrapped[1] if wrapped else text).strip().rstrip(".")
    if not _NAME.fullmatch(content) or not (wrapped or re.search("[A-Za-z]{4}", content)):
        return None
    return plain(content)


def plain(text: str) -> str:
    """`tidy` text as plain words: no fonts, no case, no brackets around it, single spaces.

    >>> plain(r"\\textbf{( C )}"), plain("Evelyn")
    ('c', 'evelyn')
    """
    return " ".join(_WRAPPED.sub(r"\1", text).lower().strip("() \t.").split())
