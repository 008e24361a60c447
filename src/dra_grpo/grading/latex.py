"""One spelling for what people write in several: delimiters, fonts, Unicode, spacing, scientific notation, words."""

import re
from unicodedata import normalize

from dra_grpo.grading.units import without_unit

_COMMANDS = zip("×·π∞≤≥∈…⋯", ["times", "cdot", "pi", "infty", "le", "ge", "in", "dots", "dots"], strict=True)
_CHARACTERS = {
    **str.maketrans("−–⁄∕。", "--//."),
    **str.maketrans({"、": ", ", "，": ", ", "°": r"^\circ ", "｛": r"\{", "｝": r"\}"}),
    **{ord(character): rf"\{command} " for character, command in _COMMANDS},
    **dict.fromkeys((*range(32), 127, 0xA0, 0x2009, 0x202F), " "),
    **dict.fromkeys((*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF)),  # invisible
}

# Characters that say by their shape what LaTeX says by a command; applied before `NFKC`, which would flatten them.
_SHAPES = [
    (re.compile("[\u2070\xb9\xb2\xb3\u2074-\u207f]+"), lambda run: f"^{{{run[0]}}}"),
    (re.compile("[\u2080-\u208e]+"), lambda run: f"_{{{run[0]}}}"),
    (re.compile("[\xbc-\xbe\u2150-\u215e]"), lambda one: f"\\frac{{{normalize('NFKC', one[0]).replace('⁄', '}{')}}}"),
    (
        re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|([0-9]+(?:\.[0-9]+)?|[A-Za-z])|(?=\{))"),
        lambda root: _ROOTS[root[1]] + (f"{{{root[2] or root[3]}}}" if root[2] or root[3] else ""),
    ),
]
_ROOTS = {"√": r"\sqrt", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]"}

_FONT = r"\\(?:(?:text|math)(?:bf|it|rm|sf|tt|normal)?|mbox|operatorname|emph|boldsymbol|bm|pmb|underline)"

# Applied in this order, to texts of at most MAX_LENGTH characters (answers.py).
_REWRITES = [
    (re.compile(r"\\(?:(?:display|text)style|limits|bfseries|itshape|[lL]arge|[hH]uge)(?![A-Za-z])"), " "),
    (re.compile(r"\{\s*\\(bf|it|rm|sf|tt)(?![A-Za-z])\s*|\\(bf|it|rm|sf|tt)\s*\{"), r"\\math\1\2{"),
    (re.compile(r"\\(?:bf|it|rm|sf|tt)(?![A-Za-z])"), " "),
    (re.compile(r"\\(?:boldsymbol|bm|pmb|underline)\s*(?=\{)|\\(?:text)?color\s*\{[A-Za-z]+\}"), ""),
    (re.compile(_FONT + r"\s*\{([^{}A-Za-z\\]*[0-9][^{}A-Za-z\\]*)\}"), r"{\1}"),
    (re.compile(r"(?<=[0-9A-Za-z)}])\s*\*\*\s*(-?[0-9A-Za-z]+|\([^()]*\))"), r"^{\1}"),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)\s*\.(?!\d)"), ""),
    (re.compile(r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])"), ""),
    (re.compile(r"\\(g|l)eqslant(?![A-Za-z])"), r"\\\1e"),
    (re.compile(r"\\[lc]dots(?![A-Za-z])|\\dots[cbmio](?![A-Za-z])|(?<=[\s,+])\.\.\."), r"\\dots "),
    (re.compile(r"(?<=[0-9])(\.[0-9]+)\s*\\dots\s*$"), r"\1"),
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

_LINES = re.compile(r"(?s)\\begin\s*\{(align(?:ed)?|gather(?:ed)?|split|equation)(\*?)\}(.*)\\end\s*\{\1\2\}")
# A line that starts with a relation goes on with the one before; others make a list.
_SAME_RELATION = re.compile(r"\\\\\s*(?=[=<>]|\\(?:[lg]eq?|approx|equiv)(?![A-Za-z]))")
_MARKDOWN = re.compile(r"([*_`]{1,3})([^*`]+)\1")
_END = re.compile(r"(?:\s|\.|\\\\)+$")
_WRAPPED = re.compile(_FONT + r"\s*\{([^{}]*)\}")
_CONSTANT = re.compile(r"\\(?:math|text)(?:rm|it|normal)?\s*\{\s*([ei])\s*\}")
_MAX_WRAPPERS = 4  # one in the other around an answer
_QUANTITY = re.compile(r"\s*[-+]?\s*\.?[0-9]")
_OPENING = re.compile(rf"(?:{_FONT}\s*)?\{{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9])\s+|\s+(?![A-Za-z0-9])")
_NAME = re.compile(r"\(?[A-Za-z][A-Za-z' -]*\)?")
_CHOICE = re.compile(r"(?:\(\s*([A-Z])\s*\)|([A-Z])\s*[).:]|([A-Z])$)(?!\S)\s*+(?![,+*/^=<>&]|(?:and|or|[A-Z])\b)(.*)")
_ANOTHER = re.compile(r"\(\s*[A-Z]\s*\)|\b[A-Z]\)")


def tidy(text: str) -> str:
    """One answer in a common spelling: no maths delimiters, sizes or spacing commands, trailing period or unit.

    Units are taken off, not compared: `5 cm` is 5. Scientific notation becomes what LaTeX means by it.

    >>> print(tidy(r"$\\displaystyle\\left(\\dfrac{1}{2}, 3\\right)$."))
    (\\frac{1}{2}, 3)
    >>> print(tidy(r"\\$10,\\!080 \\text{ per year}"), tidy("6.022e23"), tidy(r"90^{\\circ}"), sep="; ")
    10,080; 6.022 \\times 10^{23}; 90
    """
    if not text.isascii():
        for pattern, write in _SHAPES:
            text = pattern.sub(write, text)
        text = normalize("NFKC", text.translate(_CHARACTERS))
    text = text.translate(_CHARACTERS).strip()
    if marked := _MARKDOWN.fullmatch(text):
        text = marked[2]
    if lines := _LINES.fullmatch(text):
        text = _SAME_RELATION.sub(" ", _END.sub("", lines[3].replace("&", " "))).replace(r"\\", ", ")
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _END.sub("", " ".join(text.split()))
    for _ in range(_MAX_WRAPPERS):
        text = _content(text)
    if not _WRAPPED.fullmatch(text):
        text = _CONSTANT.sub(r"{\1}", text)
    return without_unit(text)


def _content(text: str) -> str:
    """What the braces hold, or a font that marks no word, if one of them holds all of `text`; else `text`."""
    opening = _OPENING.match(text)
    if not opening or not text.endswith("}"):
        return text
    depth = 0
    for brace in _BRACE.finditer(text, opening.end() - 1):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0 and brace.end() < len(text):
            return text
    content = text[opening.end() : -1].strip()
    is_word = opening[0] != "{" and not _QUANTITY.match(content) and "\\" not in content
    return text if depth or is_word else content


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


def choice(text: str) -> tuple[str, str] | None:
    """The letter of a choice in `tidy` text and what is written behind it; None where it is anything else.

    >>> choice(r"\\textbf{(C)} 15"), choice(r"\\text{C. }x"), choice("C)"), choice("C + 1"), choice("(C) or (D)")
    (('C', '15'), ('C', 'x'), ('C', ''), None, None)
    """
    match = _CHOICE.fullmatch(_WRAPPED.sub(r"\1 ", text).strip())
    if not match or _ANOTHER.search(match[4]):
        return None
    return match[1] or match[2] or match[3], match[4].strip()
