"""The Game of 24: each given number once, + - * / and brackets, and the value 24."""

import ast
import operator
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dra_grpo.completions import Completions, completion_text

_ANSWER = re.compile(r"^[ \t]*answer:([^=\n]*)", re.IGNORECASE | re.MULTILINE)
_EXPRESSION = re.compile(r"[-0-9+*/() ]+")
_OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_MAX_LENGTH = 200  # four numbers and any sensible number of brackets


def game24_reward(completions: Completions, numbers: Sequence[str | Sequence[int]], **columns: Any) -> list[float]:
    """1.0 where the expression on the last `Answer:` line makes 24 from exactly the given numbers, else 0.0.

    What follows an `=` is not looked at: the expression is the answer, not the claim about it.

    Args:
        completions: N texts or chats.
        numbers: N lists of given numbers, or strings such as `"4 5 6 10"`.
        columns: what else the trainer passes; unused.

    Returns:
        N floats, each 0.0 or 1.0.

    >>> game24_reward(["Answer: (10 - 4) * (5 - 1) = 24", "Answer: 4 * 6 = 24"], numbers=["1 4 5 10", "1 4 5 10"])
    [1.0, 0.0]
    """
    texts = map(completion_text, completions)
    return [float(makes_24(text, given)) for text, given in zip(texts, numbers, strict=True)]


def makes_24(text: str, numbers: str | Sequence[int]) -> bool:
    """Whether the last `Answer:` line of `text` solves the game for `numbers`."""
    answers = _ANSWER.findall(text)
    given = Counter(int(number) for number in (numbers.split() if isinstance(numbers, str) else numbers))
    expression = answers[-1].strip() if answers else ""
    if len(expression) > _MAX_LENGTH or not _EXPRESSION.fullmatch(expression):
        return False
    try:
        return Counter(map(int, re.findall("[0-9]+", expression))) == given and _value(expression) == 24
    except (SyntaxError, KeyError, ZeroDivisionError):
        return False


def _value(expression: str) -> Fraction:
    """The exact value of numbers under + - * / and brackets.

    Raises:
        SyntaxError: not an expression.
        KeyError: another operation, such as a power or a sign.
        ZeroDivisionError: it divides by 0.
    """

    def value(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return Fraction(node.value)
        if not isinstance(node, ast.BinOp):
            raise KeyError(type(node))
        return _OPERATIONS[type(node.op)](value(node.left), value(node.right))

    return value(ast.parse(expression, mode="eval").body)
