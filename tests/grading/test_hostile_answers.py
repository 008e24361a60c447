"""Forty answers made to stall, flood or fool a grader: every grade is right, or counted as given up on."""

from __future__ import annotations

import resource

import pytest

from dra_grpo.grading.grader import Grader

GOLD = r"\frac{10}{2}"  # equal to 5


def nested(left: str, right: str, depth: int, core: str = "5") -> str:
    return left * depth + core + right * depth


MATRIX = (
    r"\begin{pmatrix}" + r"\\".join("&".join(f"x_{{{i}{j}}}" for j in range(9)) for i in range(9)) + r"\end{pmatrix}"
)

# name: (answer, whether it is equal to the gold)
HOSTILE = {
    "tower of four": ("9^{9^{9^9}}", False),
    "tower of two": ("2^{2^{2^{2^{2^{2}}}}}", False),
    "negative tower": ("10^{-10^{10^{10}}}", False),
    "tower of e": ("e^{e^{e^{e^{e}}}}", False),
    "right plus a tower": ("5 + 0 \\cdot 9^{9^{9^9}}", True),
    "factorial of a million": ("10^{6}!", False),
    "factorial of a billion": ("1000000000!", False),
    "factorials thrice": ("(((9!)!)!)!", False),
    "giant binomial": (r"\binom{10^{9}}{5\cdot 10^{8}}", False),
    "giant sum": (r"\sum_{k=1}^{10^{9}} k^k", False),
    "giant product": (r"\prod_{k=1}^{10^{7}} k", False),
    "integral": (r"\int_0^\infty \frac{\sin(x^x) e^{x^x}}{x^{x^x}} dx", False),
    "limit": (r"\lim_{n\to\infty} \frac{n!^{n!}}{n^{n^n}}", False),
    "polynomial to expand": ("(x+y+z+w)^{500}", False),
    "giant root": (r"\sqrt[10^{9}]{10^{10^9}}", False),
    "gamma": (r"\Gamma(10^{100})", False),
    "determinant": (rf"\det{MATRIX}", False),
    "gigabyte number": ("2^{2^{33}}", False),
    "1,500 brackets": (nested("(", ")", 1500), True),
    "1,500 braces": (nested("{", "}", 1500), True),
    "500 roots": (nested(r"\sqrt{", "}", 500), False),
    "200 fractions": (nested(r"\frac{1}{1+", "}", 200, "1"), False),
    "100,000 brackets": (nested("(", ")", 100_000), True),
    "a megabyte of digits": ("7" * 1_000_000, False),
    "a megabyte of zeros": ("0" * 1_000_000 + "5", True),
    "a megabyte of decimals": ("5." + "0" * 1_000_000, True),
    "a megabyte of letters": ("x" * 1_000_000, False),
    "a megabyte of sums": ("+".join(["1"] * 500_000), False),
    "2,000 braces that open": ("{" * 2000 + "5", False),
    "2,000 braces that close": ("5" + "}" * 2000, True),
    "half a fraction, 300 times": (r"\frac{1}{" * 300, False),
    "every control character": ("".join(map(chr, range(32))) + "5", True),
    "terminal escapes": ("5\x00\x1b[31m\x07", False),
    "lone surrogates": ("\ud8005\udfff", False),
    "right to left": ("\u202e5\u202c\u200b", True),
    "backslashes": ("\\" * 4000, False),
    "dollars": ("$" * 4000, False),
    "1,500 equations": ("x=" * 1500 + "5", True),
    "3,000 carets": ("x" + "^" * 3000, False),
    "a set of 900": (r"\{" + ",".join(map(str, range(900))) + r"\}", False),
}
GIVEN_UP = ("timeout", "crash", "overlong")


def cpu_seconds() -> float:
    """CPU time of the workers that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@pytest.mark.slow
def test_every_grade_is_right_or_counted(gone):
    grader = Grader(workers=2, seconds=1.0, memory=1 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    spent = cpu_seconds()
    try:
        grades = grader.grade([rf"\boxed{{{answer}}}" for answer, _ in HOSTILE.values()], [GOLD] * len(HOSTILE))
        pids = grader.pool.pids
        after = grader.grade([r"\boxed{\sqrt{25}}", r"\boxed{\sqrt{24}}"], [GOLD] * 2)
    finally:
        grader.pool.close()
    spent = cpu_seconds() - spent
    mistakes = {
        name: grade
        for (name, (_, equal)), grade in zip(HOSTILE.items(), grades, strict=True)
        if grade.score != equal and grade.how not in GIVEN_UP
    }
    assert mistakes == {}
    assert all(grade.score == 0.0 for grade in grades if grade.how in GIVEN_UP)
    assert sum(grader.counts[how] for how in GIVEN_UP) == sum(grade.how in GIVEN_UP for grade in grades)
    assert grader.counts["timeout"] > 0
    assert spent < len(HOSTILE) * 4  # of CPU: the limit is 1, and a worker that is replaced starts anew
    assert [grade.score for grade in after] == [1.0, 0.0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB: the parent keeps no flood
    assert not pids or gone(pids, 0)
    print({name: grade.how for name, grade in zip(HOSTILE, grades, strict=True)}, f"{spent:.1f} s")
