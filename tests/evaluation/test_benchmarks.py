from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import BENCHMARKS, load_problems
from dra_grpo.grading.answers import read_gold
from dra_grpo.tasks.countdown import problems

DATA = Path(os.environ.get("DRA_GRPO_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def written(tmp_path):
    """A function that writes rows as a JSON file and returns it."""

    def write(rows):
        file = tmp_path / "rows.json"
        file.write_text(json.dumps(rows), encoding="utf-8")
        return file

    return write


def columns_of(name):
    """Rows in the columns that the benchmark has on the Hub."""
    return {
        "aime24": {"id": 60, "problem": "P", "solution": r"so \boxed{7}", "answer": "007", "year": "2024"},
        "aime25": {"problem": "P", "answer": "7", "id": "0"},
        "amc23": {"id": 0, "answer": 7.0, "url": "u", "question": "P"},
        "math500": {"problem": "P", "solution": "long", "answer": "7", "subject": "A", "level": 1, "unique_id": "t/1"},
        "minerva": {"question": "P", "answer": "7"},
        "olympiadbench": {"id": 1, "question": "P", "solution": ["long"], "final_answer": ["7"], "unit": None},
        "gsm8k": {"question": "P", "answer": "3 + 4 = <<3+4=7>>7\n#### 7"},
    }[name]


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name != "countdown"])
def test_the_hubs_columns_are_found(name, written):
    (problem,) = load_problems(BENCHMARKS[name], written([columns_of(name)])).problems
    assert problem.text == "P"
    assert read_gold(problem.gold).number.value == 7


def test_columns_can_be_named(written):
    file = written([{"task": "P", "response": "7", "key": "k"}])
    with pytest.raises(
        UsageError, match=r"none of problem, question.*has task, response, key.*--columns problem=NAME"
    ):
        load_problems(BENCHMARKS["math500"], file)
    named = {"problem": "task", "answer": "response", "id": "key"}
    (problem,) = load_problems(BENCHMARKS["math500"], file, named).problems
    assert (problem.id, problem.text, problem.gold) == ("k", "P", "7")


def test_dots_reach_into_mappings(written):
    file = written([{"extra_info": {"question": "P"}, "reward_model": {"ground_truth": "7"}}])
    named = {"problem": "extra_info.question", "answer": "reward_model.ground_truth"}
    (problem,) = load_problems(BENCHMARKS["math500"], file, named).problems
    assert (problem.text, problem.gold) == ("P", "7")
    with pytest.raises(UsageError, match=r"has no column 'reward_model.truth' for --columns answer; .*ground_truth"):
        load_problems(BENCHMARKS["math500"], file, {**named, "answer": "reward_model.truth"})


def test_the_digest_is_of_ids_and_texts(written):
    def digest(*rows):
        return load_problems(BENCHMARKS["math500"], written(list(rows))).digest

    first = {"id": "a", "problem": "P", "answer": "1"}
    assert digest(first) == digest({**first, "answer": "2", "more": 1})
    assert digest(first) != digest({**first, "id": "b"})
    assert digest(first) != digest({**first, "problem": "Q"})


@pytest.mark.parametrize(
    "value, gold", [(["1", "2"], "1, 2"), (["7"], "7"), ([], None), (None, None), (7.0, 7.0), ("a#b", "a#b")]
)
def test_golds_as_the_grader_takes_them(value, gold, written):
    (problem,) = load_problems(BENCHMARKS["minerva"], written([{"question": "P", "answer": value}])).problems
    assert problem.gold == gold


@pytest.mark.parametrize(
    "changed", [{"problem": text} for text in ("", "  ", None, 3, "P\ud800")] + [{"id": "\ud800"}]
)
def test_a_problem_without_a_whole_text(changed, written):
    rows = [{"problem": "P", "answer": 1, "id": "a"}, {"problem": "P", "answer": 1, "id": "b", **changed}]
    with pytest.raises(UsageError, match=r"math500 \(.*rows.json\), row 2: the problem is .*; expected whole texts"):
        load_problems(BENCHMARKS["math500"], written(rows))


@pytest.mark.parametrize("name, count, right", [("aime24", 29, 30), ("amc23", 83, 40), ("olympiadbench", 674, 674)])
def test_counts_are_checked_and_the_limit_is_said(name, count, right, written):
    file = written([{"problem": f"P{i}", "answer": "1"} for i in range(count)])
    whole, part = load_problems(BENCHMARKS[name], file), load_problems(BENCHMARKS[name], file, limit=4)
    assert whole.notes == [f"{name} has {count} problems, expected {right}"] * (count != right)
    assert part.notes == [*whole.notes, f"{name}: the first 4 of {count} problems only"]
    assert (part.problems, part.digest) == (whole.problems[:4], whole.digest)


def test_ids_that_repeat_are_not_ids(written):
    file = written([{"id": 1, "problem": p, "answer": "1"} for p in "PQ"])
    assert [problem.id for problem in load_problems(BENCHMARKS["math500"], file).problems] == ["0", "1"]
    with pytest.raises(UsageError, match="the ids in column 'id' are not all different"):
        load_problems(BENCHMARKS["math500"], file, {"id": "id"})


def test_files_that_are_not_there_or_empty(tmp_path):
    with pytest.raises(UsageError, match=r"math500: no file or folder at .*none\.jsonl"):
        load_problems(BENCHMARKS["math500"], tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(UsageError, match=r"math500: .* has no rows"):
        load_problems(BENCHMARKS["math500"], tmp_path / "empty.jsonl")


def test_the_hub_out_of_reach_names_the_way_out(monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"HuggingFaceH4/aime_2024.*a local file with --data aime24=PATH") as error:
        load_problems(BENCHMARKS["aime24"])
    assert "\n" not in str(error.value)


def test_countdown_makes_its_own_problems(written):
    found = load_problems(BENCHMARKS["countdown"], limit=5)
    assert [problem.text for problem in found.problems] == [one.prompt for one in problems("test", 5)]
    (problem,) = load_problems(BENCHMARKS["countdown"], written([{"prompt": "2,3>6:"}])).problems
    assert problem.text == "2,3>6:"
    with pytest.raises(UsageError, match="no Countdown prompt"):
        load_problems(BENCHMARKS["countdown"], written([{"prompt": "2 and 3"}]))
