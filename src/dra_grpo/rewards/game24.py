"""The Game of 24: each given number once, + - * / and brackets, and the value 24."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from dra_grpo.completions import Completion, completion_text
from dra_grpo.errors import UsageError

_ANSWER = re.compile(r"^[ \t]*answer:([^=\n]*)", re.IGNORECASE | re.MULTILINE)
_TOKEN = re.compile(r"\s*([0-9]+|[-+*/()])")
_OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
_MAX_LENGTH = 200  # four numbers and any sensible number of brackets


def game24_reward(
    completions: Sequence[Completion], numbers: Sequence[str | Sequence[int]], **columns: Any
) -> list[float]:
    """1.0 where the expression on the last `Answer:` line makes 24 from exactly the given numbers, else 0.0.

    What follows an `=` is not looked at: the expression is the answer, not the claim about it.

    Args:
        completions: N texts or chats.
        numbers: N lists of given numbers, or strings such as `"4 5 6 10"`.
        columns: what else the trainer passes; unused.

    Returns:
        N floats, each 0.0 or 1.0.

    Raises:
        UsageError: the columns differ in length.

    >>> game24_reward(["Answer: (10 - 4) * (5 - 1) = 24", "Answer: 4 * 6 = 24"], numbers=["1 4 5 10", "1 4 5 10"])
    [1.0, 0.0]
    """
    if len(completions) != len(numbers):
        raise UsageError(f"{len(completions)} completions came with {len(numbers)} numbers; expected one each")
    return [
        float(makes_24(completion_text(completion), given))
        for completion, given in zip(completions, numbers, strict=True)
    ]


def makes_24(text: str, numbers: str | Sequence[int]) -> bool:
    """Whether the last `Answer:` line of `text` solves the game for `numbers`."""
    answers = _ANSWER.findall(text)
    given = Counter(int(number) for number in (numbers.split() if isinstance(numbers, str) else numbers))
    if not answers or len(answers[-1]) > _MAX_LENGTH:
        return False
    tokens = _tokens(answers[-1].strip())
    if tokens is None or Counter(int(token) for token in tokens if token.isdigit()) != given:
        return False
    return _value(tokens) == 24


def _tokens(expression: str) -> list[str] | None:
    tokens, position = [], 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if not match:
            return None
        tokens.append(match[1])
        position = match.end()
    return tokens


def _value(tokens: list[str]) -> Fraction | None:
    """The exact value by two stacks (Dijkstra's shunting yard); None where it is not an expression or divides by 0."""
    values: list[Fraction] = []
    operators: list[str] = []
    operand_next = True
    for token in tokens:
        if operand_next != (token.isdigit() or token == "("):
            return None
        if token.isdigit():
            values.append(Fraction(int(token)))
            operand_next = False
        elif token == "(":
            operators.append(token)
        elif token == ")":
            if not _reduce(values, operators, 0) or not operators:
                return None
            operators.pop()
        else:
            if not _reduce(values, operators, _PRECEDENCE[token]):
                return None
            operators.append(token)
            operand_next = True
    if operand_next or "(" in operators or not _reduce(values, operators, 0):
        return None
    return values[0]


def _reduce(values: list[Fraction], operators: list[str], precedence: int) -> bool:
    """Apply the operators on the stack that bind at least as tightly; False on a division by zero."""
    while operators and operators[-1] != "(" and _PRECEDENCE[operators[-1]] >= precedence:
        symbol, right, left = operators.pop(), values.pop(), values.pop()
        if symbol == "/" and right == 0:
            return False
        values.append(_OPERATIONS[symbol](left, right))
    return True
