"""Every accepted solution of a problem, and when two texts are the same one: a key derived from the text alone.

A text is read as an expression tree. An operand is the latest unused result of an earlier step with that value, and
a given number only where there is none; operands are read left before right. So one text has one tree, even
where a value is both a given number and an earlier result.
"""

from collections.abc import Iterator
from itertools import permutations
from typing import Literal

from dra_grpo.tasks.countdown.problem import MAX_COUNT, STEP, Problem, apply

Level = Literal["commutative", "associative"]
Tree = int | tuple[str, "Tree", "Tree"]
"""A given number, or an operation on two trees."""


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
    for left, right in sorted(set(permutations(numbers, 2))):
        rest = list(numbers)
        rest.remove(left)
        rest.remove(right)
        for op in "+-*/":
            result = apply(left, op, right)
            if result is None:
                continue
            step = f"{left}{op}{right}={result}"
            if not rest:
                yield step, result
            for tail, last in derivations((*rest, result)):
                yield f"{step},{tail}", last


def solution_key(text: str, level: Level = "commutative") -> str:
    """The key that all texts of one solution share and no other text has.

    Args:
        text: a completion. One that is no derivation (a step outside the grammar or arithmetically wrong, a result
            left over, more steps than any problem takes) is the same as itself only: its key is `?` and the text.
        level: `"commutative"`: equal up to the order of the operands of + and * and of independent steps;
            `"associative"`: chains of + and -, and of * and /, are flattened too, so that `a-b+c` is `a+c-b`.

    Raises:
        KeyError: `level` is neither.

    >>> solution_key("3+5=8,2*8=16"), solution_key("5+3=8,8*2=16")
    ('((3+5)*2)', '((3+5)*2)')
    >>> solution_key("9-4=5,5+2=7"), solution_key("9+2=11,11-4=7")
    ('((9-4)+2)', '((2+9)-4)')
    >>> solution_key("9-4=5,5+2=7", "associative"), solution_key("9+2=11,11-4=7", "associative")
    ('(+2+9-4)', '(+2+9-4)')
    """
    written = {"commutative": _commutative, "associative": _associative}[level]
    tree = expression(text)
    return f"?{text}" if tree is None else written(tree)


def expression(text: str) -> Tree | None:
    """The expression tree of `text`, or None where it is no derivation.

    >>> expression("3+5=8,8*2=16")
    ('*', ('+', 3, 5), 2)
    """
    if text.count(",") >= MAX_COUNT - 1:
        return None
    unused: dict[int, list[Tree]] = {}
    for part in text.split(","):
        match = STEP.fullmatch(part)
        if match is None:
            return None
        left, op, right, result = int(match[1]), match[2], int(match[3]), int(match[4])
        if apply(left, op, right) != result:
            return None
        left_tree, right_tree = (unused[value].pop() if unused.get(value) else value for value in (left, right))
        unused.setdefault(result, []).append((op, left_tree, right_tree))
    trees = [tree for stack in unused.values() for tree in stack]
    return trees[0] if len(trees) == 1 else None


def _commutative(tree: Tree) -> str:
    if isinstance(tree, int):
        return str(tree)
    op, left, right = tree
    operands = [_commutative(left), _commutative(right)]
    if op in "+*":
        operands.sort()
    return f"({operands[0]}{op}{operands[1]})"


def _associative(tree: Tree) -> str:
    if isinstance(tree, int):
        return str(tree)
    signs = "+-" if tree[0] in "+-" else "*/"
    return f"({''.join(sorted(_terms(tree, signs, inverse=False)))})"


def _terms(tree: Tree, signs: str, inverse: bool) -> list[str]:
    """The terms of a chain of + and - (or the factors of one of * and /), each behind its sign."""
    if isinstance(tree, int) or tree[0] not in signs:
        return [signs[inverse] + _associative(tree)]
    op, left, right = tree
    return [*_terms(left, signs, inverse), *_terms(right, signs, inverse != (op == signs[1]))]
