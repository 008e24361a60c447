import json
import shutil

import pytest

from dra_grpo.files import append_json_lines
from dra_grpo.lab import coverage
from dra_grpo.lab.coverage import COVERAGE, analyse, mistake, sinking
from dra_grpo.lab.experiment import Place
from dra_grpo.lab.runs import Run
from dra_grpo.tasks.countdown import BASE_POLICY, Problem

GRPO, DRA = (Run(settings) for settings in ({"method": "none"}, {"method": "dra"}))


@pytest.mark.parametrize(
    "text, kind",
    [
        ("3+5=8,8*2=16", "right"),
        ("3+5=9,9*2=18", "wrong arithmetic"),
        ("3-5=2,2*8=16", "wrong arithmetic"),
        ("3+5=8,8+2=10", "wrong target"),
        ("3+4=7,7*2=14", "a number not at hand"),
        ("3+3=6,6*2=12", "a number not at hand"),
        ("3+5=8", "malformed"),
        ("3+5=8,8*2=16,", "malformed"),
        ("", "malformed"),
    ],
)
def test_mistakes_have_their_kinds(text, kind):
    assert mistake(text, Problem((3, 5, 2), 16)) == kind


def test_every_run_is_one_of_the_baselines():
    from dra_grpo.lab.baseline import BASELINE

    keys = [{run.key for run in each.runs(3, (0, 1))} for each in (COVERAGE, BASELINE)]
    assert keys[0] < keys[1]


def test_the_shares_that_sank_are_of_what_the_base_policy_solved():
    import pandas as pd

    same = {"texts": 3, "solutions": 2, "divided": "none", "target": 30}
    p = [(0.05, 0.01), (0.2, 0.09), (0.2, 0.2), (0.3, 0.04), (0.9, 0.9)]
    found = pd.DataFrame([{"arm": "A", "before": before, "after": after, **same} for before, after in p])
    rows = {(row["property"], row["class"]): row for row in sinking(found)}
    assert [row["cases"] for row in rows.values() if row["property"] == "before"] == [2, 1, 1]
    (texts,) = (row for row in rows.values() if row["property"] == "texts")
    assert texts == {"property": "texts", "class": texts["class"], "cases": 4, "A, p < 0.1": 0.5, "A, p < 0.05": 0.25}
    low, middle, _ = (row for row in rows.values() if row["property"] == "before")
    assert (low["A, p < 0.1"], low["A, p < 0.05"]) == (0.5, 0.0)
    assert (middle["A, p < 0.1"], middle["A, p < 0.05"]) == (1.0, 1.0), "the lower end is in"


def test_a_run_with_weights_and_one_without(tmp_path, monkeypatch):
    """The base policy stands for a trained one, so that no p moves; the thresholds make some sink all the same."""
    place = Place(tmp_path / "out", tmp_path / "work")
    assert analyse(place, 1, (0,)) == ["No run is there yet."]
    curve = [{"step": step, "distinct": 2 + step / 100, "greedy": 0.5, "rarely_solved": 0.1} for step in (0, 25)]
    append_json_lines(place.ledger, [{"key": run.key, "curve": curve} for run in (GRPO, DRA)])
    shutil.copytree(BASE_POLICY, place.work / GRPO.key / "run")
    monkeypatch.setattr(coverage, "COVERAGE", type(COVERAGE)("", "", COVERAGE.arms, sets=("validation[:20]",)))
    monkeypatch.setattr(coverage, "DEEP", 0.3)
    lines = analyse(place, 1, (0,))
    assert "| 25 | 2.25 | 2.25 |" in lines
    assert any(
        line.startswith("1 runs have no weights in ") and "--seeds 1 --bases 0 --work" in line for line in lines
    )
    rows = [line.strip("| ").split(" | ") for line in lines]
    assert {row[3] for row in rows if row[0] in ("target", "texts")} == {"0"}, "none below .1 that was above before"
    said = lines[lines.index("### What is said in place") + 4 :]
    assert sum(float(line.strip("| ").split(" | ")[1]) for line in said) == pytest.approx(1, abs=0.01)
    assert json.loads((place.out / "coverage-problems.json").read_text()) == []
    assert {file.name for file in place.out.iterdir()} >= {"coverage-steps.svg", "coverage-problems.svg"}
