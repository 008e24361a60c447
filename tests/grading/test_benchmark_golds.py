"""Every gold of MATH-500 and OlympiadBench against itself in many forms, and against its neighbours."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dra_grpo.grading.algebra import equal, parse_gold
from dra_grpo.grading.answers import read_gold
from dra_grpo.rewards import accuracy_reward

DATA = Path(os.environ.get("DRA_GRPO_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROWS = {"math500": 500, "olympiadbench": 675}
needs_data = pytest.mark.skipif(
    not all((DATA / f"{name}.jsonl").exists() for name in ROWS),
    reason=f"no math500.jsonl and olympiadbench.jsonl in {DATA}; DRA_GRPO_DATA names another folder",
)

FORMS = {
    "bare in the box": lambda gold: (gold, rf"The answer is \boxed{{{gold}}}."),
    "both boxed": lambda gold: (rf"\boxed{{{gold}}}", rf"$\boxed{{{gold}}}$"),
    "period in the box": lambda gold: (gold, rf"\boxed{{{gold}.}}"),
    "period after the gold": lambda gold: (f"{gold}.", rf"\boxed{{{gold}}}"),
    "display maths around the box": lambda gold: (gold, rf"\[\boxed{{{gold}}}\]"),
    "display maths in the box": lambda gold: (gold, rf"\boxed{{\[{gold}\]}}"),
    "dollars in the box": lambda gold: (gold, rf"\boxed{{$${gold}$$}}"),
    "dollars around the gold": lambda gold: (f"$${gold}$$", rf"\boxed{{{gold}}}"),
    "displaystyle": lambda gold: (gold, rf"\boxed{{\displaystyle {gold}}}"),
    "worked solution": lambda gold: (rf"We see \boxed{{0}}, then \boxed{{{gold}}}.", rf"\boxed{{{gold}}}"),
    "after reasoning": lambda gold: (gold, rf"<think>\boxed{{0}}</think> \boxed{{{gold}}}"),
}
# The one neighbour that a gold accepts: an equation that names the variable of the same number.
SAME = {("5", "x=5")}
# Golds that are no mathematics to the parser, or a tautology (it does not tell N from n): compared as text.
AS_TEXT = {r"$m_{\max }=n^{2}-n-1$", r"$t(0,4]$", "$N=n$"}


def golds(name: str) -> list[str]:
    rows = [json.loads(line)["answer"] for line in (DATA / f"{name}.jsonl").read_text().splitlines()]
    assert len(rows) == ROWS[name]
    return rows


def neighbours(name: str) -> list[tuple[str, str]]:
    """Each gold with the next problem's, and the other way round, where they differ."""
    rows = golds(name)
    pairs = list(zip(rows, rows[1:] + rows[:1], strict=True))
    return [(gold, other) for pair in pairs for gold, other in (pair, pair[::-1]) if gold != other]


@needs_data
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ROWS)
def test_each_gold_is_equal_to_itself(name: str, form: str):
    rows = golds(name)
    solutions, completions = zip(*map(FORMS[form], rows), strict=True)
    scores = accuracy_reward(completions, solutions)
    assert [gold for gold, score in zip(rows, scores, strict=True) if score != 1.0] == []


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_no_gold_is_equal_to_its_neighbours(name: str):
    pairs = neighbours(name)
    scores = accuracy_reward([rf"\boxed{{{other}}}" for _, other in pairs], [gold for gold, _ in pairs])
    accepted = {pair for pair, score in zip(pairs, scores, strict=True) if score != 0.0}
    assert {tuple(sorted(pair)) for pair in accepted} <= {tuple(sorted(pair)) for pair in SAME}
    print(f"{name}: {len(pairs)} ordered pairs, accepted: {accepted or 'none'}")


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_algebra_alone_finds_each_gold_equal_to_itself(name: str):
    """Without the fast paths, which would settle it as text."""
    rows = [(raw, read_gold(raw).text) for raw in golds(name)]
    parsed = {raw: parse_gold(text) for raw, text in rows}
    text_alone = {raw for raw in parsed if not parsed[raw]}
    assert {raw for raw in text_alone if "where $b$" not in raw} <= AS_TEXT
    assert [raw for raw, text in rows if parsed[raw] and not equal(parsed[raw], text)] == []
    print(f"{name}: {sum(not parsed[raw] for raw, _ in rows)} golds are compared as text")
