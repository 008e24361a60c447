"""Equality of two answers as mathematics: read by math-verify, compared exactly; only grading workers import this.

math-verify compares numbers absolutely, at 15 decimals or rounded to six, and takes 10^-20 for 10^-21. Its two
comparisons of expressions are replaced by `same_value`, in this process, wherever they stand: in tuples, sets,
intervals, matrices and relations too.
"""

import re
from itertools import product
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, grader, parse as read

Parsed = list[Any]  # math-verify's: the expression, where it could be read, and the normalised LaTeX

_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])")
_MAX_PLUS_MINUS = 2
_DIGITS = 1000  # of cancellation: numbers that are no fractions and agree to as many digits are equal
_DIGITS_BY_QUADRATURE = 15
_HUNDREDTH = sympy.UnevaluatedExpr(sympy.Rational(1, 100))

# Units are off because they take a variable for one: with them `6m` is 6 and `2t` is 2. `tidy` removes real ones.
_NORMALIZED = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True)
_CONFIG = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=_NORMALIZED)]


def parse(latex: str) -> Parsed:
    """Both golds and answers in a box of their own: a bare gold often differs from itself boxed.

    The parser reads `\\pm` between terms alone; elsewhere, as in `\\frac{1 \\pm \\sqrt{5}}{2}`, it is written out.
    """
    parsed = _read(latex)
    if not _is_read(parsed) and "," not in latex:
        head, equals, value = latex.rpartition("=")
        parts = _PLUS_MINUS.split(value)
        if 1 < len(parts) <= _MAX_PLUS_MINUS + 1:
            signs = product("+-", repeat=len(parts) - 1)
            values = ["".join(map("".join, zip(parts, (*choice, ""), strict=True))) for choice in signs]
            return _read(f"{head}{equals}{', '.join(values)}")
    return parsed


def parse_gold(latex: str) -> Parsed:
    """`parse`, or nothing where the text is no mathematics, or a relation that any other one would equal.

    The parser does not tell `N` from `n`: to it, `N=n` holds always, and so would be met by `0=1`.
    """
    parsed = parse(latex)
    if not _is_read(parsed):
        return []
    return [] if grader.is_relation(parsed[0]) and equal(parsed, "0=1") else parsed


def equal(gold: Parsed, answer: str) -> bool:
    """Whether `answer` is equal to `gold`; verification is not symmetric, so the gold stays first.

    A solution has to be answered by one, or the equation of the problem itself would be an answer to `x = 3`, and
    its inequality one to an interval.
    """
    target = parse(answer)
    try:
        solved = not target or not grader.is_relation(target[0]) or _solved(target[0])
        if not solved and not target[0].args[0].is_Relational and grader.is_relation(gold[0]) and _solved(gold[0]):
            return False
        return grader.verify(gold, target, timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=solved)
    except Exception:  # sympy raises all kinds, MemoryError too: what it cannot compare may still be spelled alike
        return bool(target) and gold[-1] == target[-1]


def same_value(gold: Any, answer: Any, *_: int) -> bool:
    """Whether two expressions or matrices are equal.

    Fractions are compared exactly. Other numbers are equal where their difference vanishes to a thousand digits, and
    expressions in variables where it simplifies to zero. Decimals are read as the fractions that they spell; where one
    is part of a number, the tolerance is that of `same_number`.
    """
    percents = [_percent(side) for side in (gold, answer)]
    if None not in percents:
        return same_value(*percents)
    gold, answer = gold.doit(), answer.doit()
    if any(percent is not None and percent >= 1 for percent in percents):  # `18\%` is 18 and 0.18
        bare = [side if percent is None else percent for side, percent in zip((gold, answer), percents, strict=True)]
        return same_value(*bare) or same_value(gold, answer)
    if isinstance(gold, sympy.MatrixBase) and isinstance(answer, sympy.MatrixBase):
        return gold.shape == answer.shape and all(map(same_value, gold.flat(), answer.flat()))
    if not isinstance(gold, sympy.Expr) or not isinstance(answer, sympy.Expr):
        return False
    if gold == answer:
        return gold is not sympy.nan
    rounded = gold.has(sympy.Float) or answer.has(sympy.Float)
    gold, answer = _exact(gold), _exact(answer)
    difference = gold - answer
    if difference in (0, sympy.nan) or (difference.is_Rational and not rounded):
        return difference == 0
    if variables := sorted(difference.free_symbols, key=str):
        # Most expressions that differ do so at the first point that is tried, long before one is simplified.
        point = {symbol: sympy.Rational(13 + 4 * index, 11) for index, symbol in enumerate(variables)}
        return _is_zero(difference.subs(point)) is not False and bool(sympy.simplify(difference).is_zero)
    if rounded:
        return bool(abs(difference.evalf(15)) <= sympy.Rational(5, 10**7) * min(1, 10 * abs(gold.evalf(15))))
    return _is_zero(difference) is True


def _percent(expression: Any) -> Any:
    """The number before the sign of a percentage, as the parser writes one; else None."""
    args = getattr(expression, "args", ())
    return args[0] if len(args) == 2 and args[1] == _HUNDREDTH and args[0].is_Number else None


def _exact(expression: Any) -> Any:
    """Decimals as the fractions they spell; each letter one symbol, which the parser does not assure; i the unit."""
    values: dict[Any, Any] = {number: sympy.Rational(str(number)) for number in expression.atoms(sympy.Float)}
    for symbol in expression.free_symbols:
        values[symbol] = sympy.I if symbol.name == "i" else sympy.Symbol(symbol.name, real=True)
    return expression.xreplace(values)


def _is_zero(number: Any) -> bool | None:
    """Whether an expression without variables is 0, by its digits; None where it has no finite value."""
    digits = _DIGITS_BY_QUADRATURE if number.has(sympy.Integral, sympy.Sum, sympy.Product, sympy.Limit) else _DIGITS
    parts = number.evalf(15, maxn=digits).as_real_imag()
    if not all(part == 0 or part.is_Float for part in parts):
        return None
    # sympy says by a precision of 1 that all the digits it may have cancelled.
    return all(part == 0 or (part._prec == 1 and abs(part) < 1e-12) for part in parts)


def _read(latex: str) -> Parsed:
    return read(rf"\boxed{{{latex}}}", extraction_config=_CONFIG, parsing_timeout=0, raise_on_error=True)


def _is_read(parsed: Parsed) -> bool:
    return bool(parsed) and not isinstance(parsed[0], str)


def _solved(relation: Any) -> bool:
    """Whether each relation has a variable alone on one side and none on the other, as `x = 3` and `1 < x < 3`."""
    atoms = relation.args if relation.args[0].is_Relational else (relation,)
    sides = ((atom.args, atom.args[::-1]) for atom in atoms)
    return all(any(one.is_Symbol and not other.free_symbols for one, other in both) for both in sides)


grader.sympy_numeric_eq = same_value
grader.sympy_symbolic_eq = lambda gold, answer: False  # `same_value`, which is asked first, decides alone
equal(parse(r"\frac{1}{2}"), "0.5")  # the parser's tables and patterns are made now, not on the first answer's time
