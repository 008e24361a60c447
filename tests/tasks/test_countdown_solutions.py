import re
from itertools import product

import pytest

from dra_grpo.tasks.countdown import Problem, accepted_texts, distinct_solutions, solution_key, verify
from dra_grpo.tasks.countdown.solutions import derivations


@pytest.mark.parametrize("numbers", [(1, 2, 3), (2, 2, 4), (1, 1, 1), (2, 3, 6)])
def test_accepted_texts_are_exactly_what_the_verifier_accepts(numbers):
    """Every pair of steps over every value that any derivation could hold, right results and wrong ones."""
    first_results = {int(re.match(r".*?=([0-9]+)", text)[1]) for text, _ in derivations(numbers)}
    operands = sorted({*numbers, *first_results})
    steps = [
        f"{left}{op}{right}={result}"
        for left, op, right in product(operands, "+-*/", operands)
        for result in {left + right, left - right, left * right, left // right, left}
    ]
    first_steps = [step for step in steps if verify(step, Problem(numbers, 1)).valid_steps]
    accepted: dict[int, set[str]] = {}
    for first, second in product(first_steps, steps):
        text = f"{first},{second}"
        target = int(second.rsplit("=", 1)[1])
        if target > 0 and verify(text, Problem(numbers, target)).correct:
            accepted.setdefault(target, set()).add(text)
    assert accepted
    for target in {*accepted, *(result for _, result in derivations(numbers))}:
        assert set(accepted_texts(Problem(numbers, target))) == accepted.get(target, set())


@pytest.mark.parametrize("numbers", [(3, 5, 7), (2, 2, 4, 4), (1, 5, 8, 13), (10, 10)])
def test_each_text_once_and_accepted_and_independent_of_the_order_of_numbers(numbers):
    everything = list(derivations(numbers))
    assert len(everything) == len({text for text, _ in everything})
    assert sorted(everything) == sorted(derivations(numbers[::-1]))
    for text, result in everything:
        assert verify(text, Problem(numbers, result)).correct


@pytest.mark.parametrize("level", ["commutative", "associative"])
def test_distinct_solutions_partition_the_accepted_texts(level):
    problem = Problem((2, 3, 4, 6), 24)
    solutions = distinct_solutions(problem, level)
    grouped = [text for texts in solutions.values() for text in texts]
    assert sorted(grouped) == sorted(accepted_texts(problem))
    for key, texts in solutions.items():
        assert {solution_key(text, level) for text in texts} == {key}
