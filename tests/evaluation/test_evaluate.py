from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import PAPER_FIVE
from dra_grpo.evaluation.evaluate import evaluate
from dra_grpo.evaluation.results import published_table, remarks, results_table
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.tasks.countdown import BASE_POLICY

pytest.importorskip("math_verify")


def served(server, sums, out, **changes) -> EvalSettings:
    settings = {
        "model": "m", "tasks": ("amc23",), "out": out, "engine": "server", "url": server.url, "samples": 4,
        "data": {"amc23": sums},
    }  # fmt: skip
    return EvalSettings(**{**settings, **changes})


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in ("cost", "seconds")}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def test_what_a_run_writes(server, sums, tmp_path):
    results = evaluate(served(server, sums, tmp_path, price=2.0, devices=4))
    task = results.tasks["amc23"]
    right = [body["seed"] % 4 != 0 for body in server.log]
    assert task.accuracy.value == pytest.approx(sum(right) / 48)
    assert (task.problems, task.samples, len(server.log)) == (12, 4, 48)
    assert results.notes == ["amc23 has 12 problems, expected 40"]
    assert json.loads((tmp_path / "results.json").read_text()) == asdict(results)
    cost = results.cost
    assert cost["gpu_hours"] == pytest.approx(4 * cost["seconds"] / 3600, abs=2e-6)
    assert cost["money"] == pytest.approx(2 * cost["gpu_hours"], abs=1e-3)
    groups = [json.loads(line) for line in (tmp_path / "groups" / "amc23.jsonl").read_text().splitlines()]
    assert len(groups) == 12
    assert all(len(group["completions"]) == len(group["correct"]) == 4 for group in groups)
    assert sum(sum(group["correct"]) for group in groups) == sum(right)
    header, rows = results_table(results)
    assert all(len(row) == len(header) for row in rows)
    assert {"avg@4", "pass@4", "maj@4", "coverage", "truncated", "distinct_answers"} < {row[1] for row in rows}
    assert "GPU-hours" in remarks(results)[-1]


def test_nothing_is_asked_for_twice(server, sums, tmp_path):
    first = evaluate(served(server, sums, tmp_path, samples=2))
    assert len(server.log) == 24
    again = evaluate(served(server, sums, tmp_path, samples=2))
    assert len(server.log) == 24
    assert again == first
    evaluate(served(server, sums, tmp_path, samples=5))
    seeds = [body["seed"] for body in server.log]
    assert len(seeds) == len(set(seeds)) == 60
    fewer = evaluate(served(server, sums, tmp_path, samples=2))
    assert without_times(asdict(fewer)) == without_times(asdict(first))
    assert len(server.log) == 60


def test_killed_at_any_moment_it_goes_on(server, sums, tmp_path):
    """kill -9 twice and half a line: the results of a run in one piece, and no saved sample is asked for again."""
    whole = evaluate(served(server, sums, tmp_path / "whole", samples=8))
    server.fail()
    server.pause(0.05)
    file = tmp_path / "killed" / "samples" / "amc23.jsonl"
    command = [
        sys.executable, "-m", "dra_grpo", "eval", "m", "--engine", "server", "--url", server.url, "--tasks", "amc23",
        "--samples", "8", "--data", f"amc23={sums}", "--batch-size", "3", "--no-plot",
        "--out", str(tmp_path / "killed"),
    ]  # fmt: skip
    for wanted in (10, 40):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not (file.exists() and file.read_bytes().count(b"\n") >= wanted) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(0.2)  # what the server still answers to the dead
    saved = [json.loads(line) for line in file.read_bytes().splitlines() if line.endswith(b"}")]
    assert 40 <= len(saved) < 96
    with file.open("ab") as lines:
        lines.write(b'{"id": "3", "sam')
    before = len(server.log)
    server.pause(0)
    resumed = evaluate(served(server, sums, tmp_path / "killed", samples=8))
    assert len(server.log) - before == 96 - len(saved)
    assert without_times(asdict(resumed)) == without_times(asdict(whole))
    assert resumed.cost["seconds"] > sum(line["seconds"] for line in saved) > 0


def test_other_settings_are_not_mixed(server, sums, tmp_path):
    evaluate(served(server, sums, tmp_path))
    asked = len(server.log)
    for change, value, said in [
        ("temperature", 0.9, r"temperature 0\.6, now 0\.9"),
        ("seed", 1, "seed 0, now 1"),
        ("template", "plain", "template 'r1', now 'plain'"),
        ("model", "other", "model 'm', now 'other'"),
    ]:
        with pytest.raises(UsageError, match=f"samples of amc23 with other settings .*{said}.*; take another --out"):
            evaluate(served(server, sums, tmp_path, **{change: value}))
    sums.write_text(sums.read_text().replace("What is 0", "What is 9"))
    with pytest.raises(UsageError, match=r"\(problems"):
        evaluate(served(server, sums, tmp_path))
    assert len(server.log) == asked


def test_settings_that_drew_nothing_bind_nobody(server, sums, tmp_path):
    server.fail(400)
    with pytest.raises(UsageError, match="refuses the request"):
        evaluate(served(server, sums, tmp_path, batch_size=1))
    evaluate(served(server, sums, tmp_path, model="other", template="plain", seed=3))


def test_tasks_can_be_added_and_are_averaged(server, sums, tmp_path):
    one = evaluate(served(server, sums, tmp_path))
    assert one.average is None
    both = ("amc23", "aime24")
    more = evaluate(served(server, sums, tmp_path, tasks=both, data=dict.fromkeys(both, sums), samples=4))
    assert len(server.log) == 96
    values = [task.accuracy.value for task in more.tasks.values()]
    assert more.average.value == pytest.approx(sum(values) / 2)
    assert more.average.low < more.average.value < more.average.high
    assert more.tasks["amc23"].metrics == one.tasks["amc23"].metrics


def test_a_model_that_was_trained_on_is_another_one(tiny_model, sums, tmp_path):
    settings = {
        "model": str(tiny_model), "tasks": ("amc23",), "out": tmp_path / "out", "samples": 1, "max_new_tokens": 4,
        "data": {"amc23": sums},
    }  # fmt: skip
    evaluate(EvalSettings(**settings))
    weights = tiny_model / "model.safetensors"
    before = weights.read_bytes()
    try:
        weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        with pytest.raises(UsageError, match=r"weights '[0-9a-f]{16}', now '[0-9a-f]{16}'"):
            evaluate(EvalSettings(**settings))
    finally:
        weights.write_bytes(before)


def test_one_process_at_a_time(server, sums, tmp_path):
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another evaluation is writing here"):
            evaluate(served(server, sums, tmp_path))
    evaluate(served(server, sums, tmp_path, samples=1))


def test_golds_that_nothing_compares_with_are_left_out_and_named(server, sums, tmp_path):
    rows = [json.loads(line) for line in sums.read_text().splitlines()]
    rows[2]["answer"] = None
    sums.write_text("".join(json.dumps(row) + "\n" for row in rows))
    results = evaluate(served(server, sums, tmp_path))
    assert results.tasks["amc23"].problems == 11
    assert results.tasks["amc23"].unscorable == ["2"]
    assert any("1 of 12 golds cannot be scored (row 2" in line for line in remarks(results))
    asked = len(server.log)
    sums.write_text("".join(json.dumps({**row, "answer": None}) + "\n" for row in rows))
    with pytest.raises(UsageError, match=r"amc23: 12 of 12 golds cannot be scored .* --columns answer=NAME"):
        evaluate(served(server, sums, tmp_path / "other"))
    assert len(server.log) == asked


def test_five_benchmarks_stand_beside_the_published_ones(server, sums, tmp_path):
    settings = served(server, sums, tmp_path, tasks=PAPER_FIVE, data=dict.fromkeys(PAPER_FIVE, sums), samples=2)
    results = evaluate(settings)
    _, (own, *published) = published_table(results)
    assert own[1] == f"{100 * results.average.value:.1f}"
    assert own[2].startswith("± ")
    assert own[3:] == ["2 2 2 2 2", "this run"]
    assert ["DRA-Dr.GRPO", "58.2", "± 2.9", 1] in [row[:4] for row in published]
    del results.tasks["minerva"]
    assert published_table(results) is None


def test_countdown_is_exact_with_its_own_policy(tmp_path, tiny_model):
    settings = EvalSettings(model=str(BASE_POLICY), tasks=("countdown",), out=tmp_path / "own", samples=8, limit=60)
    results = evaluate(settings)
    task = results.tasks["countdown"]
    found = {name: one.value for name, one in task.metrics.items()}
    assert found["distinct"] == pytest.approx(found["exact_distinct"], abs=0.4)
    assert found["pass@8"] == pytest.approx(found["exact_pass@8"], abs=0.12)
    assert without_times(asdict(evaluate(settings))) == without_times(asdict(results))
    tiny = replace(settings, model=str(tiny_model), out=tmp_path / "tiny", samples=1, limit=2, max_new_tokens=4)
    assert "exact_pass@1" in evaluate(tiny).tasks["countdown"].metrics


def test_many_answers_without_a_box_name_the_way_to_read_them(server, sums, tmp_path):
    short = evaluate(served(server, sums, tmp_path, max_new_tokens=4))  # the server boxes a later word
    task = short.tasks["amc23"]
    unboxed = task.grades["unboxed"] / 48
    assert unboxed > 0.1
    assert any(f"amc23: {unboxed:.1%} of the samples have no answer in a box" in line and "--extract lenient" in line
               for line in remarks(short))  # fmt: skip
    asked = len(server.log)
    lenient = evaluate(served(server, sums, tmp_path, max_new_tokens=4, extract="lenient"))
    assert len(server.log) == asked
    assert lenient.tasks["amc23"].asked["extract"] == "lenient"
    assert any("amc23: answers were read with --extract lenient" in line for line in remarks(lenient))
