"""A Countdown problem: some numbers, a target, and the prompt that asks for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dra_grpo.errors import UsageError

MAX_COUNT = 6
MAX_NUMBER = 9_999
PROMPT = re.compile(r"[1-9][0-9]{0,3}(?:,[1-9][0-9]{0,3}){1,5}>[1-9][0-9]{0,23}:")


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
        if not 2 <= len(self.numbers) <= MAX_COUNT:
            raise UsageError(f"a Countdown problem has 2 to {MAX_COUNT} numbers, got {len(self.numbers)}")
        for number in self.numbers:
            if type(number) is not int or not 1 <= number <= MAX_NUMBER:
                raise UsageError(f"Countdown numbers are integers from 1 to {MAX_NUMBER}, got {_shown(number)}")
        if type(self.target) is not int or not 1 <= self.target < 10**24:
            raise UsageError(f"a Countdown target is an integer from 1 to 10^24 - 1, got {_shown(self.target)}")

    @property
    def prompt(self) -> str:
        """The text the policy continues: numbers, `>`, target, `:`, without a space."""
        return f"{','.join(map(str, self.numbers))}>{self.target}:"

    @property
    def row(self) -> dict[str, object]:
        """The problem as a dataset row: what a trainer reads as `prompt` and hands a reward as columns."""
        return {"prompt": self.prompt, "numbers": list(self.numbers), "target": self.target}

    @classmethod
    def from_prompt(cls, prompt: str) -> Problem:
        """The problem that `prompt` asks for.

        Raises:
            UsageError: `prompt` is not of the form `3,5,7>41:`.
        """
        if PROMPT.fullmatch(prompt) is None:
            raise UsageError(f"{prompt[:60]!a} is no Countdown prompt; expected the form '3,5,7>41:'")
        numbers, target = prompt[:-1].split(">")
        return cls(tuple(map(int, numbers.split(","))), int(target))


def _shown(value: object) -> str:
    """A short form for messages; Python refuses to print integers of more than 4300 digits."""
    if isinstance(value, int) and value.bit_length() > 100:
        return f"one of {value.bit_length()} bits"
    return repr(value)[:60]
