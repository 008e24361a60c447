import random
from fractions import Fraction

import pytest

from dra_grpo.tasks.countdown import solution_key
from dra_grpo.tasks.countdown.solutions import derivations

Step = tuple[int, str, int, int]


def parse(text: str) -> list[Step]:
    steps = []
    for part in text.split(","):
        op = next(char for char in part if char in "+-*/")
        left, rest = part.split(op, 1)
        right, result = rest.split("=")
        steps.append((int(left), op, int(right), int(result)))
    return steps


def write(steps: list[Step]) -> str:
    return ",".join(f"{left}{op}{right}={result}" for left, op, right, result in steps)


def evaluate(text: str, substitution: dict[int, Fraction]) -> Fraction | None:
    """The value of `text` when each given number is replaced; None where it divides by zero."""
    results: list[tuple[int, Fraction]] = []
    for left, op, right, result in parse(text):
        operands = []
        for value in (left, right):
            matching = [index for index, (earlier, _) in enumerate(results) if earlier == value]
            operands.append(results.pop(matching[-1])[1] if matching else substitution[value])
        a, b = operands
        if op == "/" and b == 0:
            return None
        results.append((result, {"+": a + b, "-": a - b, "*": a * b}[op] if op != "/" else a / b))
    return results[-1][1]


def substitutions(numbers: tuple[int, ...], count: int = 4) -> list[dict[int, Fraction]]:
    draw = random.Random(0)
    return [
        {number: Fraction(draw.randint(2, 10**6), draw.randint(2, 10**6)) for number in numbers} for _ in range(count)
    ]


def has_coincidence(text: str, numbers: tuple[int, ...]) -> bool:
    values = [*numbers, *(result for _, _, _, result in parse(text))]
    return len(set(values)) < len(values)


def neighbours(text: str) -> set[str]:
    """Texts one move away: the operands of one + or * swapped, or two neighbouring independent steps."""
    steps = parse(text)
    found = set()
    for at, (left, op, right, result) in enumerate(steps):
        if op in "+*":
            found.add(write([*steps[:at], (right, op, left, result), *steps[at + 1 :]]))
        if at + 1 < len(steps) and result not in steps[at + 1][::2][:2]:
            found.add(write([*steps[:at], steps[at + 1], steps[at], *steps[at + 2 :]]))
    return found


def classes(texts: list[str], key) -> set[frozenset[str]]:
    grouped: dict[object, set[str]] = {}
    for text in texts:
        grouped.setdefault(key(text), set()).add(text)
    return {frozenset(group) for group in grouped.values()}


def components(texts: list[str]) -> set[frozenset[str]]:
    """Connected components under `neighbours`."""
    left, found = set(texts), set()
    while left:
        reached, frontier = set(), {left.pop()}
        while frontier:
            reached |= frontier
            frontier = {next_ for text in frontier for next_ in neighbours(text) if next_ not in reached}
        left -= reached
        found.add(frozenset(reached))
    return found


PROBLEMS = [(3, 5, 7), (2, 9, 20), (4, 6, 19), (3, 7, 11, 17), (2, 5, 13, 18)]


@pytest.mark.parametrize("numbers", PROBLEMS)
def test_commutative_classes_are_what_swaps_connect(numbers):
    texts = [text for text, _ in derivations(numbers) if not has_coincidence(text, numbers)]
    assert len(texts) > 20
    assert classes(texts, solution_key) == components(texts)


@pytest.mark.parametrize("numbers", PROBLEMS)
def test_associative_classes_are_equal_rational_functions(numbers):
    texts = [text for text, _ in derivations(numbers) if not has_coincidence(text, numbers)]
    values = {text: tuple(evaluate(text, each) for each in substitutions(numbers)) for text in texts}
    assert classes(texts, lambda text: solution_key(text, "associative")) == classes(texts, values.__getitem__)


@pytest.mark.parametrize("numbers", [*PROBLEMS, (3, 5, 8), (2, 2, 4), (1, 1, 1), (2, 3, 5, 8), (4, 4, 8, 16)])
@pytest.mark.parametrize("level", ["commutative", "associative"])
def test_never_merges_different_rational_functions(numbers, level):
    """Also where a value is both a given number and an earlier result, and where given numbers are equal."""
    values: dict[str, set] = {}
    for text, _ in derivations(numbers):
        value = tuple(evaluate(text, each) for each in substitutions(numbers))
        values.setdefault(solution_key(text, level), set()).add(value)
    assert all(len(found) == 1 for found in values.values())


@pytest.mark.parametrize(
    "one, other, commutative, associative",
    [
        ("3+5=8,8*2=16", "5+3=8,2*8=16", True, True),
        ("3+5=8,9-2=7,8*7=56", "9-2=7,5+3=8,7*8=56", True, True),
        ("9-4=5,5+2=7", "9+2=11,11-4=7", False, True),
        ("9-4=5,5-2=3", "4+2=6,9-6=3", False, True),
        ("2+3=5,5+4=9", "3+4=7,7+2=9", False, True),
        ("6/3=2,2*4=8", "6*4=24,24/3=8", False, True),
        ("24/3=8,8/2=4", "3*2=6,24/6=4", False, True),
        ("12-8=4,20-4=16", "20-12=8,8+8=16", False, True),
        ("2*3=6,6+12=18", "2+4=6,6*3=18", False, False),
        ("4*1=4,4+2=6", "4/1=4,4+2=6", False, False),
        ("5-3=2,2*2=4", "5-3=2,2+2=4", False, False),
        ("7-3=4,4*2=8", "7*2=14,14-3=11", False, False),
    ],
)
def test_worked_pairs(one, other, commutative, associative):
    assert (solution_key(one) == solution_key(other)) == commutative
    assert (solution_key(one, "associative") == solution_key(other, "associative")) == associative


def test_an_earlier_result_is_read_before_the_given_number():
    assert solution_key("3+5=8,8*8=64,64/2=32") == "(((3+5)*8)/2)"
    assert solution_key("3+5=8,8-2=6,6*8=48") == "(((3+5)-2)*8)"
    assert solution_key("2+3=5,1+4=5,5-1=4,5*4=20") == "(((1+4)-1)*(2+3))"


NONE = ["", "3+5=8,", "3+5=9,9*2=18", "3+5=8,4*2=8", "(3+5)*2", "((3+5)*2)", "3+5=8,8*2=16 ", "3-5=2"]


@pytest.mark.parametrize("text", [*NONE, "1+1=2," * 6 + "2+2=4", "1+1=2," * 160_000])
@pytest.mark.parametrize("level", ["commutative", "associative"])
def test_what_is_no_derivation_is_the_same_as_itself_only(text, level):
    assert solution_key(text, level) == f"?{text}"
