"""Where a completion states its answer: the last balanced `\\boxed{}` after the reasoning."""

from __future__ import annotations

import re

_BOX = re.compile(r"\\boxed\s*\{")
# A doubled backslash before `boxed` is a box that was escaped twice; any other backslash hides the next character.
_TOKEN = re.compile(r"\\\\?boxed\s*\{|\\.|[{}]", re.DOTALL)


def final_answer(text: str) -> str | None:
    """The content of the last balanced `\\boxed{}` after the last `</think>`, or in all of `text` if it has none.

    Args:
        text: a completion.

    Returns:
        The content, stripped; None where no box closes.

    >>> final_answer(r"<think>is it \\boxed{4}?</think> No: \\boxed{\\frac{1}{2}}.")
    '\\\\frac{1}{2}'
    """
    return last_boxed(text.rpartition("</think>")[2])


def last_boxed(text: str) -> str | None:
    """The content of the last balanced `\\boxed{}`: the outermost where boxes nest. Linear in the length of `text`.

    `\\{` and `\\}` are characters, not braces; a box that never closes is skipped.

    >>> last_boxed(r"\\boxed{1}, so \\boxed{\\{x : x > 2\\}} and \\boxed{3")
    '\\\\{x : x > 2\\\\}'
    >>> last_boxed("5") is None
    True
    """
    last = None
    position = 0
    while opening := _BOX.search(text, position):
        last_here, position = _close(text, opening.start())
        last = last_here or last
    return None if last is None else text[slice(*last)].strip()


def _close(text: str, start: int) -> tuple[tuple[int, int] | None, int]:
    """Follow the braces from the box at `start`: the span of the last box that closed, and where to go on."""
    open_braces: list[tuple[bool, int]] = []
    last = None
    for token in _TOKEN.finditer(text, start):
        character = token.group()
        if character == "}":
            is_box, content = open_braces.pop()
            last = (content, token.start()) if is_box else last
            if not open_braces:
                return last, token.end()
        elif character.endswith("{") and character != "\\{":
            open_braces.append((character != "{", token.end()))
    return last, len(text)
