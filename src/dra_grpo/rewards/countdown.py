"""Rewards for Countdown, in TRL's signature: completions and dataset columns in, one float each out."""

from collections.abc import Sequence
from typing import Any

from dra_grpo.completions import Completions, completion_text
from dra_grpo.tasks.countdown import Grade, Problem, verify

Numbers = Sequence[Sequence[int]]
"""N lists of given numbers."""


def countdown_reward(completions: Completions, numbers: Numbers, target: Sequence[int], **columns: Any) -> list[float]:
    """1.0 for a completion that the verifier accepts, 0.0 for any other.

    Args:
        completions: N texts, or N chats of which the last message counts.
        numbers: N lists of given numbers.
        target: N targets.
        columns: what else the trainer passes; unused.

    Returns:
        N floats, each 0.0 or 1.0.

    Raises:
        UsageError: a row is no problem.

    >>> countdown_reward(["3+5=8,8*2=16", "3+5=8"], numbers=[[3, 5, 2]] * 2, target=[16, 16])
    [1.0, 0.0]
    """
    return [float(grade.correct) for grade, _ in _grades(completions, numbers, target)]


def step_validity(completions: Completions, numbers: Numbers, target: Sequence[int], **columns: Any) -> list[float]:
    """The share of a completion's steps that are valid: operands at hand, arithmetic right.

    Reward = valid steps / max(steps, n - 1) for n numbers. It lies in [0, 1]; it is 1 exactly where the n - 1 steps
    are all valid, whether or not they reach the target; leaving steps out or adding any lowers it.

    Args:
        completions: N texts, or N chats of which the last message counts.
        numbers: N lists of given numbers.
        target: N targets.
        columns: what else the trainer passes; unused.

    Returns:
        N floats in [0, 1].

    Raises:
        UsageError: a row is no problem.

    >>> step_validity(["3+5=8,8*2=15", "3+5=8", "junk"], numbers=[[3, 5, 2]] * 3, target=[16] * 3)
    [0.5, 0.5, 0.0]
    """
    graded = _grades(completions, numbers, target)
    return [grade.valid_steps / max(grade.steps, len(problem.numbers) - 1) for grade, problem in graded]


def _grades(completions: Completions, numbers: Numbers, target: Sequence[int]) -> list[tuple[Grade, Problem]]:
    problems = [Problem(tuple(row), goal) for row, goal in zip(numbers, target, strict=True)]
    texts = map(completion_text, completions)
    return [(verify(text, problem), problem) for text, problem in zip(texts, problems, strict=True)]
