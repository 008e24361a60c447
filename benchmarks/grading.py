"""Throughput of `accuracy_reward` on 10,000 ordinary completions, beside plain math-verify in the same run.

    python benchmarks/grading.py [--problems 1250] [--seed 0] [--groups FILE]

1,250 made-up problems × 8 completions of about 1.2 kB with inline mathematics and a box at the end. Four golds in five
are plain numbers, as in MATH-500 (400 of 500); the others are fractions of radicals, polynomials, pairs, intervals and
sets. Half of the answers are right, most of those in another spelling than the gold's. Nothing is cached beforehand.

`--groups` grades saved groups instead: JSON lines with `completions` and `answer`.

Printed: completions per second by the clock, CPU time of this process and its workers together, the ratios to plain
math-verify, and the number of grades on which the two differ.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import random
import resource
import time
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from math_verify import parse, verify

from dra_grpo.grading.grader import Grader

SENTENCES = (
    "First we rewrite the expression as $x^{{{a}}} + {b}x - {a}$ and factor what we can.",
    "Since ${a} \\cdot {b} = {ab}$, the remaining term is $\\frac{{{ab}}}{{{b}}} = {a}$.",
    "Let us check the case $n = {b}$: then \\(2n + {a} = {c}\\), which is consistent.",
    "Wait, that cannot be right, because the problem asks for the positive value only.",
    "Substituting back gives $y = {c} - {a}\\sqrt{{{b}}}$, and the discriminant is ${ab}$.",
    "By symmetry the other case is the same, so nothing is lost by assuming $a \\le b$.",
)


def problem(generator: random.Random) -> tuple[str, list[str], list[str]]:
    """A gold, ways to write it, and wrong answers."""
    a, b, c = generator.randrange(2, 60), generator.randrange(2, 60), generator.randrange(2, 9)
    kind = generator.choices(["integer", "fraction", "decimal", "radical", "polynomial", "pair", "interval", "set"],
                             [56, 16, 8, 6, 5, 4, 3, 2])[0]  # fmt: skip
    if kind == "integer":
        n = a * b * c
        return str(n), [str(n), f"{n:,}", f"{n}.", rf"{n}\text{{ units}}", f"x = {n}"], [str(n + a), str(n - 1)]
    if kind == "fraction":
        return (
            rf"\frac{{{a}}}{{{b + 60}}}",
            [rf"\dfrac{{{a}}}{{{b + 60}}}", f"{a}/{b + 60}"],
            [f"{a}/{b + 61}", str(a)],
        )
    if kind == "decimal":
        return f"{a}.{b:02d}", [f"{a}.{b:02d}", rf"\${a}.{b:02d}"], [f"{a}.{b + 1:02d}", str(a)]
    if kind == "radical":
        gold = rf"{a}\sqrt{{{c * c * 7}}}"
        return gold, [gold, rf"{a * c}\sqrt{{7}}", rf"{a * c} \sqrt 7"], [rf"{a}\sqrt{{7}}", str(a)]
    if kind == "polynomial":
        return f"x^2 + {a + b}x + {a * b}", [f"(x+{a})(x+{b})", f"x^2+{a + b}x+{a * b}"], [f"(x-{a})(x+{b})", "x"]
    if kind == "pair":
        return rf"\left( {a}, -{b} \right)", [f"({a},-{b})", rf"\left({a}, -{b}\right)"], [f"({a},{b})", f"(-{b},{a})"]
    if kind == "interval":
        return rf"[-{a}, {b})", [rf"x \in [-{a},{b})", rf"\left[-{a}, {b}\right)"], [f"(-{a},{b})", f"[-{a},{b}]"]
    return f"{a}, -{b}", [f"-{b}, {a}", rf"{a},\ -{b}"], [f"{a}", f"{a}, {b}"]


def completion(generator: random.Random, answer: str) -> str:
    """About 1.2 kB of reasoning, then the answer in a box."""
    a, b = generator.randrange(2, 60), generator.randrange(2, 60)
    sentences = [generator.choice(SENTENCES).format(a=a, b=b, c=a + b, ab=a * b) for _ in range(15)]
    return " ".join(sentences) + rf" The final answer is $\boxed{{{answer}}}$."


def rows(problems: int, seed: int) -> tuple[list[str], list[str]]:
    """Completions and golds, 8 to a problem."""
    generator = random.Random(seed)
    completions, golds = [], []
    for _ in range(problems):
        gold, right, wrong = problem(generator)
        for _ in range(8):
            answer = generator.choice(right if generator.random() < 0.5 else wrong)
            completions.append(completion(generator, answer))
            golds.append(gold)
    return completions, golds


def saved(path: Path) -> tuple[list[str], list[str]]:
    """The completions and golds of saved groups."""
    groups = [json.loads(line) for line in path.read_text().splitlines()]
    pairs = [(text, group["answer"]) for group in groups for text in group["completions"]]
    return [text for text, _ in pairs], [gold for _, gold in pairs]


def plain(completions: list[str], golds: list[str]) -> list[bool]:
    """math-verify as documented, its timeouts on, with each gold parsed for each completion."""
    return [verify(parse(rf"\boxed{{{gold}}}"), parse(text)) for text, gold in zip(completions, golds, strict=True)]


def plain_cached(completions: list[str], golds: list[str]) -> list[bool]:
    """The same with each gold parsed once."""
    parsed = {gold: parse(rf"\boxed{{{gold}}}") for gold in golds}
    return [verify(parsed[gold], parse(text)) for text, gold in zip(completions, golds, strict=True)]


def isolated(workers: int) -> Callable[[list[str], list[str]], list[bool]]:
    """A fresh grader, its start and end included."""

    def grade(completions: list[str], golds: list[str]) -> list[bool]:
        grader = Grader(workers, seconds=1.0, memory=1 << 30)
        try:
            return [bool(grade.score) for grade in grader.grade(completions, golds)]
        finally:
            grader.pool.close()

    return grade


def cpu_seconds() -> float:
    """CPU time of this process and of the children it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--problems", type=int, default=1250)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--groups", type=Path)
    options = arguments.parse_args()
    logging.disable(logging.WARNING)
    completions, golds = saved(options.groups) if options.groups else rows(options.problems, options.seed)
    size = sum(map(len, completions)) / len(completions)
    print(f"{len(completions)} completions of {size:.0f} characters on average, {len(set(golds))} distinct golds")
    print(f"Python {platform.python_version()}, math-verify {version('math-verify')}, sympy {version('sympy')}")
    sides = {
        "math-verify, plain": plain,
        "math-verify, golds parsed once": plain_cached,
        "dra-grpo, 1 worker": isolated(1),
        "dra-grpo, 2 workers": isolated(2),
    }
    parse(r"\boxed{\frac{1}{2}} and $x^2$"), verify(parse("$1$"), parse("$x$"))  # its first call compiles its patterns
    found, measured = {}, {}
    for name, side in sides.items():
        clock, cpu = time.perf_counter(), cpu_seconds()
        found[name] = side(completions, golds)
        measured[name] = time.perf_counter() - clock, cpu_seconds() - cpu
    reference = next(iter(sides))
    print(f"\n{'':32}{'per second':>12}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'right':>8}{'differ':>8}")
    for name, (clock, cpu) in measured.items():
        differ = sum(mine != theirs for mine, theirs in zip(found[name], found[reference], strict=True))
        ratios = measured[reference][0] / clock, measured[reference][1] / cpu
        print(
            f"{name:32}{len(completions) / clock:12.0f}{ratios[0]:8.2f}{cpu:9.1f}{ratios[1]:8.2f}"
            f"{sum(found[name]):8}{differ:8}"
        )
    different = Counter(
        (mine, "no box" if r"\boxed{" not in text else "period in the box" if ".}" in text[-4:] else "other")
        for text, mine, theirs in zip(completions, found["dra-grpo, 1 worker"], found[reference], strict=True)
        if mine != theirs
    )
    for (mine, where), count in different.items():
        print(f"{count} that dra-grpo alone finds {'right' if mine else 'wrong'}: {where}")


if __name__ == "__main__":
    main()
