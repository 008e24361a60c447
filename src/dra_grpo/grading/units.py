"""Units behind a number, which are taken off rather than compared."""

import re

# Letters of any script; Greek ones are variables, but for those that units use.
_LETTER = r"[^\W\d_\u0370-\u03ff]"
_LETTER_OR_PREFIX = rf"(?:{_LETTER}|[μΩ])"
_OTHER_SCRIPT = r"[^\W\d_\x00-\u058f]"  # beyond Latin, Greek and Cyrillic: what is one word needs no space
_EXPONENT = r"\^ ?(?:-?[0-9]|\{ ?-?[0-9]{1,2} ?\})"
_FACTOR = (
    r"(?:\\mu ?)?\\(?:text|mbox|mathrm|textrm|textnormal|rm) ?"
    rf"\{{(?:{_LETTER_OR_PREFIX}|[ ()./'-]|\\cdot|{_EXPONENT})+\}} ?(?:{_EXPONENT})?"
)
_PRODUCT = rf"{_FACTOR}(?: ?(?:/|\\cdot)? ?{_FACTOR})*"
_DEGREES = re.compile(r"(?<=[0-9]) ?\^ ?(?:\\circ|\{ ?\\circ ?\})(?: ?[CFK])?$")
_RATIO = rf"\\frac ?\{{ ?{_PRODUCT}\}} ?\{{ ?{_PRODUCT}\}}"
_MARKED = re.compile(rf"(?:(?<=[0-9}})\]])|(?<=\\pi)|(?<=\\circ)) ?({_PRODUCT}|{_RATIO}) ?$")
_BARE = re.compile(rf"(?<=[0-9}})]) ({_LETTER}(?:{_LETTER}|[ ./'-])*)(?:{_EXPONENT})?$")
_ATTACHED = re.compile(rf"(?<=[0-9}})])(cm|mm|km|kg|mg|ft|mph|lbs?|hrs?|{_OTHER_SCRIPT}+)(?:{_EXPONENT})?$")
_WORD = re.compile(rf"\\[A-Za-z]+|(/?{_LETTER_OR_PREFIX}+)")

_SHORT = re.compile("cm|mm|km|kg|mg|ft|in|yd|hr|lb|oz|m[lL]|sq|of|/[hs]|мм|см|км|кг|мг|мл|/ч")
# What a font command marks as a unit; `i` and `e` are numbers, `\text{pm}` is a time, and a bare letter is a variable.
_SHORT_MARKED = re.compile(
    f"{_SHORT.pattern}|/?(?:[ndcmkMGTµμ]?(?:[mshgLlNJWVKCFATHΩ]|Hz|Pa|eV|pc)|Å|AU|ly|yr|dB|Wb|Bq|Sv|Gy|[мглчс])"
)
# Words behind a number that change it, or join it to another answer.
_NO_UNIT = re.compile(
    "and|or|not|nor|but|either|neither|if|plus|minus|times|over|mod|base|hundreds?|thousands?|[mb]illions?|trillions?|"
    "dozens?|half|halves|thirds?|quarters?|tenths?|percent(age)?|pct|factorial|squared|cubed|inf|infinity|root|"
    "sin|cos|tan|log|exp|sqrt|choose|"
    "oder|und|oppure|или|moins|fois|mal|non|nicht|"
    "mille|mil|mila|millones|mill[oó]n|milhões|mili?ard\\w*|milli?ard\\w*|million\\w*|tausend|hundert|dutzend|"
    "centaines?|cientos|cento|douzaines?|docenas?|demie?|medi[ao]|halbe?|"
    "тыс|тысяч[аи]?|сотен|сотня|млн|млрд|миллион\\w*|миллиард\\w*|половин\\w*|"
    # A number, "or" or "and" somewhere in it, unless it is a kilogram, kilometre, kilowatt or kilocalorie.
    ".*(?:[万萬亿億兆百十半倍或和与與及]|千(?![克米瓦卡])|[만억조천백]|लाख|करोड़|हज़ार|ล้าน|พัน).*",
    re.IGNORECASE,
)


def without_unit(text: str) -> str:
    """`text` without a degree sign or a unit at its end.

    A unit is a marked one (`\\text{ cm}^2`), a product of them (`\\mathrm{kg} \\mathrm{m}^{-3}`), a word of three
    letters or more after a space, or a common short one. Spaces in `text` are single.

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
    words = [word for word in _WORD.findall(unit) if word]  # not the commands
    return bool(words) and all(
        (len(word) > 2 or short.fullmatch(word) or re.match(_OTHER_SCRIPT, word)) and not _NO_UNIT.fullmatch(word)
        for word in words
    )
