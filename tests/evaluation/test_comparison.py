from __future__ import annotations

import json

import numpy as np
import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.comparison import compare, load_results
from dra_grpo.evaluation.comparison_table import comparison_table, detection_table

SETTINGS = {"template": "r1", "temperature": 0.6, "top_p": 0.95, "max_new_tokens": 100}


def results(seed: int, samples: int = 8, gain: float = 0.0, problems=(("aime24", 30), ("math500", 200)), **changes):
    """Made results: problems of fixed difficulty, right answers by chance."""
    difficulty, draws = np.random.default_rng(0), np.random.default_rng(seed)
    tasks = {}
    for name, count in problems:
        rates = np.clip(difficulty.beta(0.7, 0.7, count) + gain, 0, 1)
        rows = [
            {"id": str(i), "digest": f"{name}{i}", "samples": samples, "correct": int(draws.binomial(samples, rate)),
             "distinct": int(draws.integers(1, 5)), "truncated": 0, "tokens": int(draws.integers(50, 99)) * samples}
            for i, rate in enumerate(rates)
        ]  # fmt: skip
        tasks[name] = {"problems": count, "samples": samples, **SETTINGS, **changes, "per_problem": rows}
    return {"model": f"model {seed}", "tasks": tasks}


def accuracies(one, name):
    return np.array([row["correct"] / row["samples"] for row in one["tasks"][name]["per_problem"]])


def test_differences_are_paired_by_problem():
    first, second = results(1), results(2, gain=0.1)
    second["tasks"]["aime24"]["per_problem"].reverse()
    found = compare(first, second)
    second["tasks"]["aime24"]["per_problem"].reverse()
    for name, task in found["tasks"].items():
        paired = accuracies(second, name) - accuracies(first, name)
        assert task["difference"]["value"] == pytest.approx(paired.mean())
        assert task["second"] - task["first"] == pytest.approx(paired.mean())
        assert task["stderr"] == pytest.approx(paired.std(ddof=1) / len(paired) ** 0.5)
        assert task["difference"]["low"] < paired.mean() < task["difference"]["high"]
        unpaired = (accuracies(first, name).var() + accuracies(second, name).var()) ** 0.5 / len(paired) ** 0.5
        assert task["stderr"] < 0.6 * unpaired
    assert found["tasks"]["math500"]["p"] < 0.001
    assert found["tasks"]["math500"]["p_holm"] == pytest.approx(2 * found["tasks"]["math500"]["p"])
    mean = np.mean([task["difference"]["value"] for task in found["tasks"].values()])
    assert found["average"]["difference"]["value"] == pytest.approx(mean)


def test_a_model_against_itself():
    found = compare(results(1), results(1))
    for task in [*found["tasks"].values(), found["average"]]:
        assert task["difference"]["value"] == 0
        assert task["p"] == 1


def test_false_alarms_over_whole_comparisons():
    """Two runs of one model: after Holm, one of two benchmarks is called different in at most 5% of comparisons."""
    sizes = (("aime24", 20), ("amc23", 30))
    runs = 40
    alarms = covered = 0
    for run in range(runs):
        found = compare(results(2 * run + 10, 4, problems=sizes), results(2 * run + 11, 4, problems=sizes))
        alarms += min(task["p_holm"] for task in found["tasks"].values()) <= 0.05
        covered += found["average"]["difference"]["low"] <= 0 <= found["average"]["difference"]["high"]
    assert alarms <= 0.05 * runs + 3 * (0.05 * 0.95 * runs) ** 0.5
    assert covered >= 0.95 * runs - 3 * (0.05 * 0.95 * runs) ** 0.5


@pytest.mark.parametrize(
    "metric, digits", [("pass@4", "in points"), ("distinct", ""), ("tokens", ""), ("truncated", "in points")]
)
def test_other_figures(metric, digits):
    first, second = results(1), results(2)
    found = compare(first, second, metric)
    if metric in ("distinct", "tokens"):
        per = {"distinct": 1, "tokens": 8}[metric]
        mean = np.mean([row[metric] / per for row in first["tasks"]["aime24"]["per_problem"]])
        assert found["tasks"]["aime24"]["first"] == pytest.approx(mean)
    text = comparison_table(found)
    assert f"metric: {metric}" in text
    assert digits in text


def test_exact_figures_where_there_are_any():
    first, second = results(1), results(2)
    for one, p in ((first, 0.5), (second, 0.75)):
        for row in one["tasks"]["aime24"]["per_problem"]:
            row["exact_pass@1"] = p
        del one["tasks"]["math500"]
    found = compare(first, second, "exact_pass@1")
    assert found["tasks"]["aime24"]["difference"]["value"] == 0.25
    assert found["average"] is None
    with pytest.raises(UsageError, match=r"aime24 has no 'exact_pas@1'; it has avg, .*, pass@K, exact_pass@1"):
        compare(first, second, "exact_pas@1")


def test_detection_is_in_the_table():
    found = compare(results(1), results(2), detect=0.01)
    table = detection_table(found)
    assert "difference of 1 points with 80% power" in table
    assert str(found["tasks"]["math500"]["detect"]["samples_fixed"]) in table
    with pytest.raises(UsageError, match="--samples 2 or more"):
        compare(results(1, samples=1), results(2, samples=1), detect=0.01)
    with pytest.raises(UsageError, match="--detect is about avg, not distinct"):
        compare(results(1), results(2), "distinct", detect=0.01)


def test_unequal_numbers_of_samples():
    found = compare(results(1, samples=4), results(2, samples=16))
    assert found["tasks"]["aime24"]["samples"] == [4, 16]
    with pytest.raises(UsageError, match="aime24: pass@8 needs 1 to 4 samples a problem"):
        compare(results(1, samples=4), results(2, samples=16), "pass@8")


def test_figures_that_grow_with_the_samples_need_as_many_on_both_sides():
    with pytest.raises(
        UsageError, match=r"aime24: distinct grows with the samples, which are 4 and 16; .*--samples 4"
    ):
        compare(results(1, samples=4), results(2, samples=16), "distinct")


@pytest.mark.parametrize("metric", ["avg", "pass@4"])
def test_an_average_knows_no_more_than_its_benchmarks(metric):
    """No problem solved on either side: that says as much of the average as of each of them."""
    sides = [results(seed, samples=8) for seed in (1, 2)]
    for side in sides:
        for row in side["tasks"]["aime24"]["per_problem"] + side["tasks"]["math500"]["per_problem"]:
            row["correct"] = 0
    found = compare(*sides, metric)
    parts = [task["difference"] for task in found["tasks"].values()]
    assert all(part["low"] < 0 < part["high"] for part in parts)
    width = sum(part["high"] ** 2 for part in parts) ** 0.5 / 2
    assert found["average"]["difference"] == {"value": 0, "low": pytest.approx(-width), "high": pytest.approx(width)}


def test_what_cannot_be_compared():
    with pytest.raises(UsageError, match="no benchmark in common: aime24, math500 on one side and amc23 on the other"):
        compare(results(1), results(2, problems=(("amc23", 40),)))
    other = results(2)
    other["tasks"]["aime24"]["per_problem"][3]["digest"] = "another"
    with pytest.raises(UsageError, match="aime24: problem '3' or its gold differs between the two"):
        compare(results(1), other)
    for row in other["tasks"]["aime24"]["per_problem"]:
        row["id"] = f"x{row['id']}"
    with pytest.raises(UsageError, match="aime24: the two sides share no problem id"):
        compare(results(1), other)


def test_what_differs_is_said():
    found = compare(results(1, problems=(("aime24", 30),)), results(2, problems=(("aime24", 20),), temperature=1.0))
    assert found["notes"] == [
        "aime24: on the 20 problems that both have, of 30 and 20",
        "aime24: temperature differs, 0.6 and 1.0",
    ]
    assert all(f"note: {note}" in comparison_table(found) for note in found["notes"])


def test_results_are_found_by_folder_or_file(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(results(1)))
    assert load_results(tmp_path) == load_results(tmp_path / "results.json") == results(1)
    with pytest.raises(
        UsageError, match=r"nowhere.results.json holds no results; expected what `dra-grpo eval` wrote"
    ):
        load_results(tmp_path / "nowhere")
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(UsageError, match=r"results.json is no JSON"):
        load_results(tmp_path)
