"""A Countdown problem, and the one finite grammar of its solutions with its strict verifier.

    solution = step ("," step)*        one step fewer than there are numbers
    step     = number op number "=" number
    op       = "+" | "-" | "*" | "/"
    number   = a positive integer in ASCII digits without leading zeros

Each step takes two values that are at hand (a given number or the result of an earlier step), which are then
gone, and puts its result in their place. Results are positive integers, so `-` is never 0 or less and `/` is exact.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple, Self

from dra_grpo.errors import UsageError

MAX_COUNT = 6
MAX_NUMBER = 9_999
PROMPT = re.compile(r"[1-9][0-9]{0,3}(?:,[1-9][0-9]{0,3}){1,5}>[1-9][0-9]{0,23}:")

# [0-9], never \d: \d, str.isdigit and int accept digits of other scripts. 24 digits hold a product of six numbers.
NUMBER = "[1-9][0-9]{0,23}"
STEP = re.compile(rf"({NUMBER})([-+*/])({NUMBER})=({NUMBER})")


@dataclass(frozen=True)
class Problem:
    """Reach `target` from `numbers`, each of which is used exactly once.

    Args:
        numbers: 2 to 6 integers from 1 to 9999, in the order of the prompt; equal ones are allowed.
        target: a positive integer of at most 24 digits, which is what a product of six numbers has.

    Raises:
        UsageError: a number, the count of numbers or the target lies outside those bounds.

    >>> Problem((3, 5, 7), 41).prompt
    '3,5,7>41:'
    >>> Problem((3, 5, 7), 41).row
    {'prompt': '3,5,7>41:', 'numbers': [3, 5, 7], 'target': 41}
    >>> Problem.from_prompt("3,5,7>41:")
    Problem(numbers=(3, 5, 7), target=41)
    """

    numbers: tuple[int, ...]
    target: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", tuple(self.numbers))  # a list would make the problem unhashable
        bounds = [*((number, MAX_NUMBER) for number in self.numbers), (self.target, 10**24 - 1)]
        fits = all(type(value) is int and 1 <= value <= most for value, most in bounds)
        if not fits or not 2 <= len(self.numbers) <= MAX_COUNT:
            asked = f"numbers {self.numbers!r:.60} and target {self.target!r:.60}"
            raise UsageError(f"{asked} are no Countdown problem; expected 2 to 6 integers to 9999, one below 10^24")

    @property
    def prompt(self) -> str:
        """The text the policy continues: numbers, `>`, target, `:`, without a space."""
        return f"{','.join(map(str, self.numbers))}>{self.target}:"

    @property
    def row(self) -> dict[str, object]:
        """The problem as a dataset row: what a trainer reads as `prompt` and hands a reward as columns."""
        return {"prompt": self.prompt, "numbers": list(self.numbers), "target": self.target}

    @classmethod
    def from_prompt(cls, prompt: str) -> Self:
        """The problem that `prompt` asks for.

        Raises:
            UsageError: `prompt` is not of the form `3,5,7>41:`.
        """
        if PROMPT.fullmatch(prompt) is None:
            raise UsageError(f"{prompt[:60]!a} is no Countdown prompt; expected the form '3,5,7>41:'")
        numbers, target = prompt[:-1].split(">")
        return cls(tuple(map(int, numbers.split(","))), int(target))


class Grade(NamedTuple):
    """What the verifier found in a text.

    Args:
        correct: the text is an accepted solution.
        steps: parts of the text between commas; 0 for an empty text.
        valid_steps: steps of the grammar whose operands are at hand and whose arithmetic is right, among the first
            n - 1 of n numbers, as no solution has more. After a wrong step the result it states is at hand.
        error: the first thing wrong, as a sentence; None where `correct`.
    """

    correct: bool
    steps: int
    valid_steps: int
    error: str | None


def apply(left: int, op: str, right: int) -> int | None:
    """`left op right`, or None where that is not a positive integer.

    >>> apply(8, "/", 2), apply(8, "/", 3), apply(3, "-", 3)
    (4, None, None)
    """
    if op == "+":
        return left + right
    if op == "-":
        return left - right if left > right else None
    if op == "*":
        return left * right
    return left // right if left % right == 0 else None


def verify(text: str, problem: Problem) -> Grade:
    """Check every step of `text` against the grammar, the numbers and the arithmetic, then the target.

    Any string is safe: the time is linear in its length, and nothing outside the grammar is ever parsed as a number.

    >>> verify("3+5=8,8*2=16", Problem((3, 5, 2), 16))
    Grade(correct=True, steps=2, valid_steps=2, error=None)
    >>> verify("3+5=9,9*2=18", Problem((3, 5, 2), 16))
    Grade(correct=False, steps=2, valid_steps=1, error='step 1: 3+5 is 8, not 9.')
    """
    needed = len(problem.numbers) - 1
    steps = text.count(",") + 1 if text else 0
    at_hand = Counter(problem.numbers)
    first_error, valid, result = None, 0, 0
    for index, part in enumerate(text.split(",", needed)[: min(steps, needed)], start=1):
        error, result = _take_step(part, at_hand)
        valid += error is None
        if error is not None and first_error is None:
            first_error = f"step {index}: {error}"
    if first_error is None and steps != needed:
        first_error = f"{len(problem.numbers)} numbers take {needed} steps, found {steps}."
    if first_error is None and result != problem.target:
        first_error = f"the last result is {result}, not the target {problem.target}."
    return Grade(first_error is None, steps, valid, first_error)


def _take_step(part: str, at_hand: Counter[int]) -> tuple[str | None, int]:
    """What is wrong with one step, and the result it states, which takes the place of operands that are at hand."""
    match = STEP.fullmatch(part)
    if match is None:
        return f"{part[:40]!a} is not of the form 'a+b=c' in positive integers.", 0
    left, op, right, stated = int(match[1]), match[2], int(match[3]), int(match[4])
    for operand, count in Counter((left, right)).items():
        if at_hand[operand] < count:
            return f"{operand} is not at hand{' twice' if count == 2 and at_hand[operand] else ''}.", stated
    at_hand.subtract((left, right))
    at_hand[stated] += 1
    actual = apply(left, op, right)
    if actual is None:
        return f"{left}{op}{right} is not a positive integer.", stated
    if actual != stated:
        return f"{left}{op}{right} is {actual}, not {stated}.", stated
    return None, stated
