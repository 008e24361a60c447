from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.comparison import compare, comparison_table, needed
from dra_grpo.evaluation.results import ProblemResults, Results, TaskResults, load_results
from dra_grpo.evaluation.statistics import Estimate
from dra_grpo.files import write_json

NONE = Estimate(0.0, 0.0, 0.0, 0.0)


def results(seed: int, samples: int = 8, gain: float = 0.0, problems=(("aime24", 30), ("math500", 200)), **changes):
    """Made results: problems of fixed difficulty, right answers by chance."""
    difficulty, draws = np.random.default_rng(0), np.random.default_rng(seed)
    tasks = {}
    for name, count in problems:
        rows = []
        for i, rate in enumerate(np.clip(difficulty.beta(0.7, 0.7, count) + gain, 0, 1)):
            correct = int(draws.binomial(samples, rate))
            metrics = {f"avg@{samples}": correct / samples, "distinct": float(draws.integers(1, 5)), "truncated": 0.0,
                       "tokens": float(draws.integers(50, 99))}  # fmt: skip
            rows.append(ProblemResults(str(i), f"{name}{i}", samples, correct, metrics))
        task = TaskResults(count, samples, [], {"template": "r1", "extract": "boxed"}, {}, None, {}, rows)
        tasks[name] = replace(task, **changes)
    return Results(f"model {seed}", "server", 0, [], tasks, None, {})


def with_rows(one: Results, name: str, change) -> Results:
    """The same results with each row of one task changed."""
    changed = replace(one.tasks[name], per_problem=[change(row) for row in one.tasks[name].per_problem])
    return replace(one, tasks={**one.tasks, name: changed})


def accuracies(one, name):
    return np.array([row.correct / row.samples for row in one.tasks[name].per_problem])


def test_differences_are_paired_by_problem():
    first, second = results(1), results(2, gain=0.1)
    shuffled = replace(second, tasks={**second.tasks, "aime24": replace(
        second.tasks["aime24"], per_problem=second.tasks["aime24"].per_problem[::-1])})  # fmt: skip
    found = compare(first, shuffled)
    for name, task in found.tasks.items():
        paired = accuracies(second, name) - accuracies(first, name)
        assert task.difference.value == pytest.approx(paired.mean()) == task.second - task.first
        assert task.difference.stderr == pytest.approx(paired.std(ddof=1) / len(paired) ** 0.5)
        assert task.difference.low < paired.mean() < task.difference.high
        unpaired = (accuracies(first, name).var() + accuracies(second, name).var()) ** 0.5 / len(paired) ** 0.5
        assert task.difference.stderr < 0.6 * unpaired
        assert 0 < task.stderr_samples < task.difference.stderr * 1.3
    assert found.tasks["math500"].p < 0.001
    assert found.tasks["math500"].p_holm == pytest.approx(2 * found.tasks["math500"].p)
    mean = np.mean([task.difference.value for task in found.tasks.values()])
    assert found.average.difference.value == pytest.approx(mean)


@pytest.mark.parametrize("metric, unit", [("distinct", 1), ("tokens", 1), ("truncated", 100), ("pass@4", 100)])
def test_other_metrics(metric, unit):
    first, second = results(1), results(2)
    task = compare(first, second, metric).tasks["aime24"]
    if metric != "pass@4":
        rows = first.tasks["aime24"].per_problem
        assert task.first == pytest.approx(np.mean([row.metrics[metric] for row in rows]))
    _, rows = comparison_table(compare(first, second, metric))
    assert float(rows[0][2]) == pytest.approx(unit * task.first, abs=0.06)
    assert task.stderr_samples is None


def test_a_metric_that_is_not_there():
    with pytest.raises(UsageError, match=r"aime24 has no 'exact_pas@1'; it has avg, pass@K, avg@8, distinct, trunc"):
        compare(results(1), results(2), "exact_pas@1")


def test_what_it_takes_is_said_for_each_benchmark():
    found = compare(results(1), results(2), detect=0.01)
    aime, math = needed(found)
    assert aime.startswith("aime24: for a difference of 1 points (80% power, 5% level) each model needs ")
    assert f"needs {found.tasks['math500'].detect.samples_fixed} samples a problem on these problems" in math
    with pytest.raises(UsageError, match="--samples 2 or more"):
        compare(results(1, samples=1), results(2, samples=1), detect=0.01)
    with pytest.raises(UsageError, match="--detect is about avg, not distinct"):
        compare(results(1), results(2), "distinct", detect=0.01)


def test_unequal_numbers_of_samples():
    few, many = results(1, samples=4), results(2, samples=16)
    assert compare(few, many).tasks["aime24"].samples == [4, 16]
    with pytest.raises(UsageError, match="aime24: pass@8 needs 1 to 4 samples a problem"):
        compare(few, many, "pass@8")
    with pytest.raises(UsageError, match=r"distinct grows with the samples, which are 4 and 16; .*--samples 4"):
        compare(few, many, "distinct")


def test_what_cannot_be_compared():
    with pytest.raises(UsageError, match="no benchmark in common: aime24, math500 and amc23"):
        compare(results(1), results(2, problems=(("amc23", 40),)))
    other = with_rows(results(2), "aime24", lambda row: replace(row, digest="x" if row.id == "3" else row.digest))
    with pytest.raises(UsageError, match="aime24: problem '3' or its gold differs between the two"):
        compare(results(1), other)
    other = with_rows(other, "aime24", lambda row: replace(row, id=f"x{row.id}"))
    with pytest.raises(UsageError, match="aime24: the two sides share no problem id"):
        compare(results(1), other)


def test_what_differs_is_said():
    first = results(1, problems=(("aime24", 30),))
    second = results(2, problems=(("aime24", 20),), asked={"template": "r1", "extract": "lenient"})
    said = ["on the 20 problems that both have, of 30 and 20", "extract differs, boxed and lenient"]
    assert compare(first, second).notes == [f"aime24: {one}" for one in said]


def test_results_are_found_by_folder_or_file(tmp_path):
    file = tmp_path / "results.json"
    write_json(file, asdict(results(1)))
    assert load_results(tmp_path) == load_results(file) == results(1)
    with pytest.raises(UsageError, match=r"nowhere.results.json holds no results of this version, expected what"):
        load_results(tmp_path / "nowhere")
    file.write_text("{")
    with pytest.raises(UsageError, match=r"results.json is no JSON"):
        load_results(tmp_path)


def test_exact_metrics_have_no_noise_of_samples():
    """Alike on every problem, two policies are alike; sampled, they may differ on others."""
    sides = [with_rows(results(seed, problems=(("countdown", 40),)), "countdown", lambda row: replace(
        row, correct=4, metrics={"avg@8": 0.5, "exact_pass@1": 0.5})) for seed in (1, 2)]  # fmt: skip
    exact, sampled = (compare(*sides, metric).tasks["countdown"].difference for metric in ("exact_pass@1", "avg"))
    assert (exact.low, exact.high) == (0, 0)
    assert sampled.low < 0 < sampled.high
