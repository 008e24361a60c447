"""Seeded Countdown problems in three splits that share no multiset of numbers."""

from collections import deque
from collections.abc import Iterator
from hashlib import blake2b
from itertools import combinations_with_replacement, islice
from typing import Literal, get_args

from dra_grpo.errors import UsageError
from dra_grpo.tasks.countdown.problem import Problem
from dra_grpo.tasks.countdown.solutions import derivations, solution_key

Split = Literal["train", "validation", "test"]
LARGEST_NUMBER = 25
LARGEST_TARGET = 100


def problems(split: Split, count: int | None = None, size: int = 3, seed: int = 0) -> list[Problem]:
    """`count` distinct problems of a split, each with two distinct solutions or more, in an order drawn by `seed`.

    Numbers are 1 to 25 in rising order, equal ones allowed, and targets 1 to 100. A multiset of numbers belongs to
    one split by a hash of its own, whatever the seed. Every multiset is used once before one is used again,
    with another target, and a smaller `count` gives the head of the same list.

    Args:
        split: `"train"` (8 multisets in 10), `"validation"` or `"test"` (1 in 10 each).
        count: how many; None means all there are, which for 4 numbers takes minutes.
        size: numbers in a problem, 3 or 4.
        seed: draws the order of the multisets and of each one's targets; the same on every machine.

    Raises:
        UsageError: an unknown split or size, or more problems than the split has.

    >>> [problem.prompt for problem in problems("test", 2)]
    ['2,22,22>46:', '11,11,22>22:']
    """
    if split not in get_args(Split) or size not in (3, 4):
        raise UsageError(f"split is {split!r} and size {size!r}; expected one of {get_args(Split)}, and 3 or 4")
    drawn = list(islice(_rounds(split, size, seed), count))
    if count is not None and len(drawn) < count:
        raise UsageError(f"the {split} split has {len(drawn)} problems of {size} numbers, got count={count}")
    return drawn


def split_of(numbers: tuple[int, ...]) -> Split:
    """The split that a multiset of numbers belongs to, in whatever order.

    >>> split_of((3, 5, 7)) == split_of((7, 3, 5))
    True
    """
    bucket = _digest(",".join(map(str, sorted(numbers)))) % 10
    return {8: "validation", 9: "test"}.get(bucket, "train")  # pyright: ignore[reportReturnType]


def _rounds(split: Split, size: int, seed: int) -> Iterator[Problem]:
    """Round after round over the multisets of a split, each time with their next target."""
    every = combinations_with_replacement(range(1, LARGEST_NUMBER + 1), size)
    multisets = [numbers for numbers in every if split_of(numbers) == split]
    multisets.sort(key=lambda numbers: _digest(f"{seed}:{numbers}"))
    queue = deque((numbers, _targets(numbers, seed)) for numbers in multisets)
    while queue:
        numbers, targets = queue.popleft()
        target = next(targets, None)
        if target is not None:
            yield Problem(numbers, target)
            queue.append((numbers, targets))


def _targets(numbers: tuple[int, ...], seed: int) -> Iterator[int]:
    """The targets that `numbers` reach in two distinct ways or more, in an order drawn by `seed`."""
    texts: dict[int, list[str]] = {}
    for text, result in derivations(numbers):
        if result <= LARGEST_TARGET:
            texts.setdefault(result, []).append(text)
    for target in sorted(texts, key=lambda target: _digest(f"{seed}:{numbers}:{target}")):
        if len({solution_key(text) for text in texts[target]}) > 1:
            yield target


def _digest(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
