"""Equality of two answers as mathematics, by math-verify; only grading workers import this."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from dra_grpo.errors import require

Parsed = list[Any]  # math-verify's: the expression, where it could be read, and the normalised LaTeX

_PLUS_MINUS = re.compile(r"\\pm(?![A-Za-z])")
_MAX_PLUS_MINUS = 2


class Algebra:
    """math-verify, told what a gold and a boxed answer are, without its SIGALRM and its guesses at units.

    Units are off because they take a variable for one: with them `6m` is 6 and `2t` is 2. `tidy` removes real ones.
    """

    def __init__(self) -> None:
        require("math_verify", "grade", "grading answers as mathematics")
        from latex2sympy2_extended import NormalizationConfig
        from math_verify import LatexExtractionConfig, parse, verify
        from math_verify.grader import is_relation

        self._parse, self._verify, self._is_relation = parse, verify, is_relation
        normalization = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True)
        self._config = [LatexExtractionConfig(boxed_match_priority=0, normalization_config=normalization)]
        # The first call compiles regular expressions and the parser's tables: not on the first answer's time.
        self.equal(self.parse(r"\frac{1}{2}"), "0.5")

    def parse(self, latex: str) -> Parsed:
        """Both golds and answers in a box of their own: a bare gold often differs from itself boxed.

        The parser reads `\\pm` between terms alone; elsewhere, as in `\\frac{1 \\pm \\sqrt{5}}{2}`, it is written out.
        """
        parsed = self._read(latex)
        if not _is_read(parsed) and "," not in latex:
            head, equals, value = latex.rpartition("=")
            parts = _PLUS_MINUS.split(value)
            if 1 < len(parts) <= _MAX_PLUS_MINUS + 1:
                signs = product("+-", repeat=len(parts) - 1)
                values = ["".join(map("".join, zip(parts, (*choice, ""), strict=True))) for choice in signs]
                return self._read(f"{head}{equals}{', '.join(values)}")
        return parsed

    def gold(self, latex: str) -> Parsed:
        """`parse`, or nothing where the text is no mathematics, or a relation that any other one would equal.

        The parser does not tell `N` from `n`: to it, `N=n` holds always, and so would be met by `0=1`.
        """
        parsed = self.parse(latex)
        if not _is_read(parsed):
            return []
        return [] if self._is_relation(parsed[0]) and self.equal(parsed, "0=1") else parsed

    def equal(self, gold: Parsed, answer: str) -> bool:
        """Whether `answer` is equal to `gold`; verification is not symmetric, so the gold stays first.

        A solution has to be answered by one, or the equation of the problem itself would be an answer to `x = 3`, and
        its inequality one to an interval.
        """
        target = self.parse(answer)
        try:
            unsolved = bool(target) and self._is_relation(target[0]) and not _solved(target[0])
            if unsolved and not target[0].args[0].is_Relational and self._is_relation(gold[0]) and _solved(gold[0]):
                return False
            return self._verify(
                gold, target, timeout_seconds=None, raise_on_error=True, allow_set_relation_comp=not unsolved
            )
        except Exception:  # sympy raises all kinds, MemoryError too: what it cannot compare may still be spelled alike
            return bool(target) and gold[-1] == target[-1]

    def _read(self, latex: str) -> Parsed:
        return self._parse(
            rf"\boxed{{{latex}}}", extraction_config=self._config, parsing_timeout=0, raise_on_error=True
        )


def _is_read(parsed: Parsed) -> bool:
    return bool(parsed) and not isinstance(parsed[0], str)


def _solved(relation: Any) -> bool:
    """Whether each relation has a variable alone on one side and none on the other, as `x = 3` and `1 < x < 3`."""
    atoms = relation.args if relation.args[0].is_Relational else (relation,)
    return all(
        any(one.is_Symbol and not other.free_symbols for one, other in (atom.args, atom.args[::-1])) for atom in atoms
    )
