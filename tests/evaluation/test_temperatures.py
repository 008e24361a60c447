"""One run at several temperatures: what is drawn, what it comes to by the rule, what it costs, and comparing two."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.comparison import compare, comparison_table
from dra_grpo.evaluation.evaluate import evaluate
from dra_grpo.evaluation.results import clusters, load_results, remarks
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.evaluation.statistics import estimate, sign_flip_p
from dra_grpo.evaluation.temperatures import evaluate_temperatures, temperatures_table
from dra_grpo.tasks.countdown import BASE_POLICY, Problem, problems

pytest.importorskip("math_verify")


def served(server, sums, out, **changes) -> EvalSettings:
    settings = {
        "model": "m", "tasks": ("amc23",), "out": out, "engine": "server", "url": server.url, "samples": 4,
        "data": {"amc23": sums}, "max_new_tokens": 64,
    }  # fmt: skip
    return EvalSettings(**{**settings, **changes})


def grades(folder) -> dict[str, list[bool]]:
    lines = (folder / "groups" / "amc23.jsonl").read_text().splitlines()
    return {group["id"]: group["correct"] for group in map(json.loads, lines)}


def test_each_temperature_is_sampled_once_and_greedy_once_a_problem(server, sums, tmp_path, capsys):
    settings = served(server, sums, tmp_path)
    results = evaluate_temperatures(settings, [1, 0, 0.6])
    asked = [body["temperature"] for body in server.log]
    assert {t: asked.count(t) for t in asked} == {0: 12, 0.6: 48, 1: 48}
    said = capsys.readouterr().err
    assert "samples: 12 at 0, 48 at 0.6, 48 at 1 (0 is greedy, one a problem); at most 6,912 tokens" in said
    assert "temperature 0: 12 samples, " in said
    assert "; 96 samples are left: about " in said
    assert "; 48 samples are left: about " in said
    drawn = [json.loads(line)["tokens"] for file in tmp_path.rglob("samples/*.jsonl") for line in file.open()]
    assert any(f"108 samples, {sum(drawn):,} tokens" in line for line in remarks(results))
    assert load_results(tmp_path) == results
    parts = [load_results(tmp_path / f"temperature-{t}") for t in ("0", "0.6", "1")]
    assert results.cost["seconds"] == pytest.approx(sum(part.cost["seconds"] for part in parts), abs=1e-3)
    assert list(results.tasks) == ["amc23 T=0", "amc23 T=0.6", "amc23 T=1"]
    assert evaluate_temperatures(settings, [0, 0.6, 1]) == results
    shutil.rmtree(tmp_path / "temperature-1")
    evaluate_temperatures(settings, [0, 0.6, 1])
    assert [body["temperature"] for body in server.log[108:]] == [1] * 48


def test_the_rule_against_every_choice_of_samples(server, sums, tmp_path):
    results = evaluate_temperatures(served(server, sums, tmp_path), [0, 1])
    greedy, sampled = grades(tmp_path / "temperature-0"), grades(tmp_path / "temperature-1")
    assert 0 < sum(right for (right,) in greedy.values()) < 12
    task = results.tasks["amc23 T=1"]
    for k in (1, 2, 4):
        by_hand = {
            id: np.mean([any((*first, *others)) for others in combinations(sampled[id], k - 1)])
            for id, first in greedy.items()
        }
        found = {row.id: row.metrics[f"rule_pass@{k}"] for row in task.per_problem}
        assert found == pytest.approx(by_hand)
        assert task.metrics[f"rule_pass@{k}"] == estimate(list(found.values()), (0.0, 1.0))
    assert "rule_pass@8" not in task.metrics
    assert "rule_mean" not in task.metrics
    assert not any("rule" in name for name in results.tasks["amc23 T=0"].metrics)
    header, rows = temperatures_table(results)
    assert all(len(row) == len(header) for row in rows)
    assert rows[1][5].startswith(f"{100 * task.metrics['rule_pass@4'].value:.1f} [")
    alone = evaluate_temperatures(served(server, sums, tmp_path / "other"), [0.6, 1])
    assert not any("rule" in name for task in alone.tasks.values() for name in task.metrics)


def test_two_of_them_are_compared_at_the_same_temperature(server, sums, tmp_path):
    first = evaluate_temperatures(served(server, sums, tmp_path / "a", samples=16), [0, 0.6])
    second = evaluate_temperatures(served(server, sums, tmp_path / "b", samples=16, seed=5), [0, 0.6, 1])
    found = compare(first, second)
    assert list(found.tasks) == ["amc23 T=0", "amc23 T=0.6"]
    assert found.average is None, "two temperatures of one benchmark are no two benchmarks"
    assert "amc23 T=1: in one of the two only" in found.notes
    by_rule = compare(first, second, "rule_mean")
    assert list(by_rule.tasks) == ["amc23 T=0.6"]
    assert any("amc23 T=0 has no 'rule_mean'" in note for note in by_rule.notes)
    assert len(comparison_table(by_rule)[1]) == 1
    third = evaluate_temperatures(served(server, sums, tmp_path / "c"), [0.3])
    with pytest.raises(UsageError, match=r"no benchmark in common: amc23 T=0, amc23 T=0\.6 and amc23 T=0\.3"):
        compare(first, third)
    with pytest.raises(UsageError, match=r"amc23 T=0\.6 has no 'nothing'"):
        compare(first, second, "nothing")


@pytest.fixture(scope="module")
def countdown(tmp_path_factory):
    """Forty problems of twenty-one sets of numbers."""
    folder = tmp_path_factory.mktemp("countdown")
    drawn = problems("test", 296)
    asked = [{"id": one.prompt, "problem": one.prompt} for one in (*drawn[:20], *drawn[276:])]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    settings = EvalSettings(
        model=str(BASE_POLICY), tasks=("countdown",), out=folder / "out", samples=8, batch_size=320,
        data={"countdown": folder / "problems.jsonl"},
    )  # fmt: skip
    return settings, evaluate_temperatures(settings, [0, 0.6])


def test_countdowns_exact_results_are_of_the_temperature_sampled(countdown):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from dra_grpo.evaluation.exact import exact_probabilities
    from dra_grpo.evaluation.one_rule import read

    _, results = countdown
    cold = results.tasks["countdown T=0.6"]
    asked = [Problem.from_prompt(row.id) for row in cold.per_problem]
    parts = AutoModelForCausalLM.from_pretrained(BASE_POLICY), AutoTokenizer.from_pretrained(BASE_POLICY)
    accepted = exact_probabilities(*parts, asked, temperatures=(0.0, 0.6))
    assert cold.metrics["exact_pass@1"].value == pytest.approx(np.mean([x.correct(0.6) for x in accepted]), abs=1e-6)
    for name, values in read(accepted, 0.6).items():
        if name not in ("distinct", "coverage"):
            assert cold.metrics[f"exact_rule_{name}"].value == pytest.approx(values.mean().item(), abs=1e-6)
    greedy = results.tasks["countdown T=0"]
    assert greedy.metrics["exact_pass@1"].value == greedy.accuracy.value, "greedy decoding is sampled without noise"
    assert cold.accuracy.value == pytest.approx(cold.metrics["exact_pass@1"].value, abs=0.12)


def test_countdowns_problems_of_one_set_of_numbers_are_one_cluster(countdown):
    _, results = countdown
    rows = results.tasks["countdown T=0.6"].per_problem
    labels = clusters(rows)
    assert (len(rows), len(set(labels))) == (40, 21)
    for name, one in results.tasks["countdown T=0.6"].metrics.items():
        values = [row.metrics[name] for row in rows]
        assert one.stderr == estimate(values, None, labels).stderr
    worse = [replace(row, metrics={**row.metrics, "avg@8": row.metrics["exact_pass@1"]}) for row in rows]
    other = {"countdown T=0.6": replace(results.tasks["countdown T=0.6"], per_problem=worse)}
    found = compare(results, replace(results, tasks=other)).tasks["countdown T=0.6"]
    moved = [row.metrics["exact_pass@1"] - row.metrics["avg@8"] for row in rows]
    sums = [sum(x for x, label in zip(moved, labels, strict=True) if label == own) for own in dict.fromkeys(labels)]
    assert found.p == sign_flip_p(sums) != sign_flip_p(moved)
    assert found.difference == estimate(moved, (-1.0, 1.0), labels)


def test_exact_results_know_no_nucleus(countdown, tmp_path):
    settings, _ = countdown
    results = evaluate(EvalSettings(**{**vars(settings), "out": tmp_path, "limit": 3, "top_p": 0.9}))
    assert not any("exact" in name for name in results.tasks["countdown"].metrics)
    assert "countdown: no exact results: they are of all tokens, and top_p is 0.9; take --top-p 1" in results.notes


def test_a_temperature_below_0_is_refused_before_anything_is_drawn(server, sums, tmp_path):
    with pytest.raises(UsageError, match=r"temperature=-0\.5.*expected a temperature of at least 0"):
        evaluate_temperatures(served(server, sums, tmp_path), [0, -0.5])
    assert not server.log
    assert not list(tmp_path.glob("temperature*"))
