"""Units behind a number, which are taken off rather than compared."""

from __future__ import annotations

import re

_POWER = r"(?:\^\s*(?:[0-9]|\{\s*[0-9]\s*\}))?"
_DEGREES = re.compile(r"(?<=[0-9])\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})$")
_MARKED = re.compile(
    r"(?:(?<=[0-9})\]])|(?<=\\pi))\s*\\(?:text|mbox|mathrm|textrm|textnormal|rm)\s*\{([A-Za-z ./-]+)\}\s*"
    + _POWER
    + "$"
)
_BARE = re.compile(r"(?<=[0-9})])\s+([A-Za-z][A-Za-z ./-]*)" + _POWER + "$")
_ATTACHED = re.compile(r"(?<=[0-9})])(cm|mm|km|kg|mg|ft|mph|lbs?|hrs?)" + _POWER + "$")

_SHORT = re.compile("cm|mm|km|kg|mg|ft|in|yd|hr|lb|oz|m[lL]|sq|of|/[hs]")
# Letters that a font command marks as a unit; `i` and `e` are numbers, and a bare letter is a variable.
_SHORT_MARKED = re.compile(f"{_SHORT.pattern}|[mshgLlNJWVKCFA]")
# Words behind a number that change it, or join it to another answer.
_NO_UNIT = re.compile(
    "and|or|not|nor|but|either|neither|if|plus|minus|times|over|mod|base|hundreds?|thousands?|[mb]illions?|trillions?|"
    "dozens?|half|halves|thirds?|quarters?|tenths?|percent(age)?|pct|factorial|squared|cubed|inf|infinity|root|"
    "sin|cos|tan|log|exp|sqrt|choose",
    re.IGNORECASE,
)


def without_unit(text: str) -> str:
    """`text` without a degree sign or a unit at its end.

    A unit is a marked one (`\\text{ cm}^2`), a word of three letters or more after a space, or a common short one.

    >>> without_unit(r"15\\mbox{ cm}^2"), without_unit("39 apples"), without_unit(r"30^\\circ"), without_unit("5cm")
    ('15', '39', '30', '5')
    >>> without_unit("6m"), without_unit("2 ab"), without_unit("5 or six"), without_unit("2 million")
    ('6m', '2 ab', '5 or six', '2 million')
    """
    for pattern, short in ((_MARKED, _SHORT_MARKED), (_BARE, _SHORT), (_ATTACHED, _SHORT)):
        match = pattern.search(text)
        if match and _is_unit(match[1], short):
            text = text[: match.start()].rstrip()
            break
    return _DEGREES.sub("", text)


def _is_unit(unit: str, short: re.Pattern[str]) -> bool:
    words = re.findall(r"/?[A-Za-z]+", unit)
    return bool(words) and all(
        (len(word) > 2 or short.fullmatch(word)) and not _NO_UNIT.fullmatch(word) for word in words
    )
