"""The Game of 24 verifier against Python's own arithmetic, and on what is no expression."""

from __future__ import annotations

import random
import re
from fractions import Fraction

import pytest

from dra_grpo.rewards import game24_reward
from dra_grpo.rewards.game24 import _value, makes_24


@pytest.mark.parametrize(
    "line",
    [
        "Answer: (10 - 4) * (5 - 1) = 24",
        "Answer: (10 - 4) * (5 - 1)",
        "answer:(10-4)*(5-1)=24",
        "Answer: (10 - 4) * (5 - 1) = 25",  # the claim is wrong, the expression is not
        "Steps:\n...\nAnswer: 4 * 6 = 24\nAnswer: ((10 - 4)) * (5 - 1)",
    ],
)
def test_solved(line: str):
    assert makes_24(line, "1 4 5 10")
    assert makes_24(line, [1, 4, 5, 10])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "(10 - 4) * (5 - 1) = 24",
        "Answer:",
        "Answer: 24",
        "Answer: = 24",
        "Answer: 4 * 6 = 24",
        "Answer: (10 - 4) * (5 - 1) * 1 = 24",
        "Answer: 10 + 4 + 5 + 1 = 24",
        "Answer: (10 - 4) * (5 - 1 = 24",
        "Answer: (10 - 4)(5 - 1) = 24",
        "Answer: 10 4 - 5 1 - * = 24",
        "Answer: 4 * 5 + 10 / 1 +",
        "Answer: -(4 - 10) * (5 - 1) = 24",
        "Answer: 10 / (4 - 5 + 1) = 24",
        "Answer: __import__('os').getcwd()",
        "Answer: (10 - 4) * (5 - 1)\nAnswer: None",
        "Answer: " + "(" * 100_000 + "10 - 4) * (5 - 1)",
        "Answer: 10**4**5**1",
        "Answer: ٤ * 6",
        "Answer: 1.0 * 4 * 5 + 10",
        "Answer: " + "(" * 95 + "1" + ")" * 95,
    ],
)
def test_not_solved(line: str):
    assert not makes_24(line, "1 4 5 10")


def random_expression(generator: random.Random, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    cut = generator.randrange(1, len(numbers))
    left, right = (random_expression(generator, part) for part in (numbers[:cut], numbers[cut:]))
    text = f"{left} {generator.choice('+-*/')} {right}"
    return f"({text})" if generator.random() < 0.5 else text


def test_values_against_pythons_own_evaluation():
    generator = random.Random(0)
    for _ in range(2000):
        text = random_expression(generator, [generator.randrange(0, 13) for _ in range(generator.randrange(1, 7))])
        try:
            expected = eval(re.sub(r"\d+", r"Fraction(\g<0>)", text), {"Fraction": Fraction})
        except ZeroDivisionError:
            with pytest.raises(ZeroDivisionError):
                _value(text)
        else:
            assert _value(text) == expected, text


def test_rows_and_chats():
    chat = [{"role": "assistant", "content": "Answer: 6 * 4 * 1 * 1"}]
    assert game24_reward([chat, "no"], numbers=["1 1 4 6"] * 2, target=[24, 24]) == [1.0, 0.0]
