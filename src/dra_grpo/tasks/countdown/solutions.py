"""Every accepted solution of a problem, which is what makes exact evaluation possible."""

from __future__ import annotations

from collections.abc import Iterator

from dra_grpo.tasks.countdown.grammar import apply
from dra_grpo.tasks.countdown.identity import Level, solution_key
from dra_grpo.tasks.countdown.problem import Problem


def accepted_texts(problem: Problem) -> tuple[str, ...]:
    """All texts that `verify` accepts for `problem`, each once, in lexicographic order.

    >>> accepted_texts(Problem((2, 3), 6))
    ('2*3=6', '3*2=6')
    """
    return tuple(sorted(text for text, result in derivations(problem.numbers) if result == problem.target))


def distinct_solutions(problem: Problem, level: Level = "commutative") -> dict[str, tuple[str, ...]]:
    """The distinct solutions of `problem`: identity key -> the accepted texts that share it.

    >>> distinct_solutions(Problem((2, 3), 6))
    {'(2*3)': ('2*3=6', '3*2=6')}
    """
    solutions: dict[str, tuple[str, ...]] = {}
    for text in accepted_texts(problem):
        key = solution_key(text, level)
        solutions[key] = (*solutions.get(key, ()), text)
    return solutions


def derivations(numbers: tuple[int, ...]) -> Iterator[tuple[str, int]]:
    """All texts of the grammar that use up `numbers`, each once, with the result of their last step."""
    for left in sorted(set(numbers)):
        without_left = _without(numbers, left)
        for right in sorted(set(without_left)):
            rest = _without(without_left, right)
            for op in "+-*/":
                result = apply(left, op, right)
                if result is None:
                    continue
                step = f"{left}{op}{right}={result}"
                if not rest:
                    yield step, result
                    continue
                for tail, last in derivations((*rest, result)):
                    yield f"{step},{tail}", last


def _without(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    index = numbers.index(number)
    return numbers[:index] + numbers[index + 1 :]
