"""When two texts are the same solution: a key derived from the text alone.

A text is read as an expression tree. An operand is the latest unused result of an earlier step with that value, and
a given number only where there is none; operands are read left before right. So one text has one tree, even
where a value is both a given number and an earlier result.
"""

from __future__ import annotations

from typing import Literal, get_args

from dra_grpo.errors import UsageError
from dra_grpo.tasks.countdown.grammar import STEP, apply
from dra_grpo.tasks.countdown.problem import MAX_COUNT

Level = Literal["commutative", "associative"]
Tree = int | tuple[str, "Tree", "Tree"]
"""A given number, or an operation on two trees."""


def solution_key(text: str, level: Level = "commutative") -> str:
    """The key that all texts of one solution share and no other text has.

    Args:
        text: a completion. One that is no derivation (a step outside the grammar or arithmetically wrong, a result
            left over, more steps than any problem takes) is the same as itself only: its key is `?` and the text.
        level: `"commutative"`: equal up to the order of the operands of + and * and of independent steps;
            `"associative"`: chains of + and -, and of * and /, are flattened too, so that `a-b+c` is `a+c-b`.

    Raises:
        UsageError: `level` is neither.

    >>> solution_key("3+5=8,2*8=16"), solution_key("5+3=8,8*2=16")
    ('((3+5)*2)', '((3+5)*2)')
    >>> solution_key("9-4=5,5+2=7"), solution_key("9+2=11,11-4=7")
    ('((9-4)+2)', '((2+9)-4)')
    >>> solution_key("9-4=5,5+2=7", "associative"), solution_key("9+2=11,11-4=7", "associative")
    ('(+2+9-4)', '(+2+9-4)')
    """
    if level not in get_args(Level):
        raise UsageError(f"identity level is {level!r}, expected one of {', '.join(get_args(Level))}")
    tree = expression(text)
    if tree is None:
        return f"?{text}"
    return _commutative(tree) if level == "commutative" else _associative(tree)


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
