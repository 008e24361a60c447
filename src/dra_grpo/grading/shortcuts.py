"""Grades that need no algebra: the same text, two plain numbers, two words."""

from __future__ import annotations

import re

from dra_grpo.grading.answers import MAX_LENGTH, Gold
from dra_grpo.grading.latex import choice, plain, spelling, tidy
from dra_grpo.grading.numerals import based, numeral, same_number

_ASSIGNMENT = re.compile(r"^[A-Za-z]\s*=")  # `x = 5` answers a gold of 5


def fast_grade(gold: Gold, answer: str) -> tuple[bool | None, str]:
    """Whether `answer` equals `gold`, where that can be told at once, and what was compared.

    Args:
        gold: what `read_gold` returned.
        answer: the content of the box, as written.

    Returns:
        (True or False, "text" | "number" | "words" | "overlong"), or (None, tidy answer) where algebra must decide.

    >>> from dra_grpo.grading.answers import read_gold
    >>> fast_grade(read_gold("1/2"), r"\\frac{1}{2}."), fast_grade(read_gold("2"), "3")
    ((True, 'number'), (False, 'number'))
    >>> fast_grade(read_gold(r"\\sqrt{8}"), r"2\\sqrt{2}")
    (None, '2\\\\sqrt{2}')
    """
    if gold.long or len(answer) > MAX_LENGTH:  # too long to parse: equal as it stands, or wrong
        same = answer.strip() == gold.text
        return same, "text" if same else "overlong"
    text = tidy(answer)
    if chosen := choice(text):
        letter, behind = chosen
        if gold.choice and (letter != gold.choice or not behind or gold.text == letter):
            return letter == gold.choice, "words"
        text = behind or text
    spelled = spelling(text)
    if spelled == gold.spelling:
        return True, "text"
    if gold.words is not None:
        return plain(text) == gold.words, "words"
    if not spelled:
        return False, "text"
    if gold.number is not None and (number := numeral(_ASSIGNMENT.sub("", text))) is not None:
        return same_number(gold.number, number), "number"
    here, there = based(gold.text), based(text)
    if here and there:
        return here == there, "number"
    return None, text
