"""`dra-grpo eval` and `dra-grpo eval compare` as a person types them."""

from __future__ import annotations

import json

import pytest

from dra_grpo.cli.main import main

pytest.importorskip("transformers")

SMALL = ["--tasks", "countdown", "--limit", "20", "--batch-size", "64"]


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("eval")
    assert main(["eval", "countdown", *SMALL, "--samples", "4", "--out", str(folder / "a")]) == 0
    assert (
        main(["eval", "countdown", *SMALL, "--samples", "2", "--seed", "1", "--out", str(folder / "b"), "--no-plot"])
        == 0
    )
    return folder


def test_figures_never_come_without_count_and_interval(two_runs, capsys):
    assert (
        main(
            ["eval", "countdown", *SMALL, "--samples", "4", "--out", str(two_runs / "a"), "--price-per-gpu-hour", "2"]
        )
        == 0
    )
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines() if line.startswith("countdown")]
    assert [row[1] for row in rows][:3] == ["avg@4", "pass@2", "pass@4"]
    assert all(row[4].startswith("[") and row[6] == "20" for row in rows)
    assert "exact_pass@1" in printed
    assert "note: countdown: the first 20 of 500 problems only" in printed
    assert "0.00 at 2 a GPU-hour" in printed


def test_the_plot(two_runs):
    pytest.importorskip("matplotlib")
    assert (two_runs / "a" / "pass_at_k.svg").read_text().startswith("<?xml")
    assert not (two_runs / "b" / "pass_at_k.svg").exists()


def test_several_temperatures(tmp_path, capsys):
    several = ["eval", "countdown", *SMALL, "--samples", "2", "--temperature", "0,.6", "--out", str(tmp_path)]
    assert main([*several, "--price-per-gpu-hour", "2"]) == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines() if line.startswith("countdown")]
    assert [row[:3] for row in rows[:2]] == [["countdown", "0", "1"], ["countdown,", "exact", "0"]]
    assert [row[:3] for row in rows[2:]] == [["countdown", "0.6", "2"], ["countdown,", "exact", "0.6"]]
    assert "greedy, the others are at T: 1 - (1 - g)(1 - pass@(k - 1))" in printed
    assert "0.00 at 2 a GPU-hour" in printed
    assert (tmp_path / "temperature-0.6" / "samples" / "countdown.jsonl").exists()
    assert main(["eval", "compare", str(tmp_path), str(tmp_path), "--metric", "exact_rule_mean"]) == 0
    assert "countdown T=0.6" in capsys.readouterr().out


def test_compare(two_runs, capsys):
    paths = [str(two_runs / "a"), str(two_runs / "b")]
    assert main(["eval", "compare", *paths, "--detect", "2", "--json", str(two_runs / "c.json")]) == 0
    printed = capsys.readouterr().out
    assert "for other problems of the kind and other samples" in printed
    assert "countdown: for a difference of 2 points (80% power, 5% level) each model needs" in printed
    found = json.loads((two_runs / "c.json").read_text())
    assert found["tasks"]["countdown"]["samples"] == [4, 2]
    assert main(["eval", "compare", *paths, "--metric", "exact_pass@1"]) == 0
    assert "+0.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, said",
    [
        ([], "the following arguments are required: model, --tasks"),
        (["m"], "the following arguments are required: --tasks"),
        (["m", "--tasks", "aime2024"], "unknown benchmark 'aime2024'; did you mean 'aime24'?"),
        (["m", "--tasks", ","], "tasks are none; expected one or more"),
        (["m", "--tasks", "aime24,aime24"], "tasks are aime24, aime24; expected one or more, each once"),
        (["m", "--tasks", "aime24", "--samples", "x"], "--samples got 'x'; expected numbers, also by task"),
        (["m", "--tasks", "aime24", "--samples", "4,aime24=x"], "--samples got 'aime24=x'; expected numbers"),
        (["m", "--tasks", "aime24", "--samples", "0"], "aime24: 0 samples a problem, expected 1 or more"),
        (["m", "--tasks", "aime24", "--samples", "4,amc23=2"], "--samples got 'amc23=2'; expected numbers, also by"),
        (["m", "--tasks", "aime24", "--data", "aime24"], "--data got 'aime24'; expected a task of --tasks and"),
        (["m", "--tasks", "aime24", "--data", "aime24=/no.jsonl"], "aime24: no file or folder at '/no.jsonl'"),
        (["m", "--tasks", "aime24", "--columns", "q"], "columns has 'q'; expected ROLE=COLUMN"),
        (["m", "--tasks", "aime24", "--columns", "aime24.awnser=q"], "'aime24.awnser'; did you mean 'aime24.answer'"),
        (["m", "--tasks", "aime24", "--columns", "amc23.id=q"], "columns has no role 'amc23.id'; did you mean"),
        (["m", "--tasks", "aime24", "--extract", "all"], "argument --extract: invalid choice: 'all' (choose from "),
        (["m", "--tasks", "aime24", "--limit", "0"], "limit 0: expected 1 or more"),
        (["m", "--tasks", "aime24", "--template", "r2"], "unknown template 'r2'; known: r1, qwen-math, paper, plain"),
        (["m", "--tasks", "aime24", "--temperature", "-1"], "temperature=-1.0, top_p=0.95"),
        (["m", "--tasks", "aime24", "--temperature", "0,x"], "--temperature got '0,x'; expected a number, or several"),
        (["m", "--tasks", "aime24", "--temperature", "0,-1"], "temperature=-1.0, top_p=0.95"),
        (["m", "--tasks", "aime24", "--engine", "hf"], "argument --engine: invalid choice: 'hf' (choose from "),
        (["m", "--tasks", "aime24", "--engine", "server"], "--engine server and --url go together"),
        (["m", "--tasks", "countdown", "--engine", "server", "--url", "host:1"], "url is 'host:1'; expected an http"),
        (["./nowhere", "--tasks", "countdown"], "no model folder at './nowhere'; give an existing folder"),
        (["m", "--tasks", "countdown", "--dtype", "float7"], "argument --dtype: invalid choice: 'float7'"),
        (["compare", "a"], "the following arguments are required: second"),
        (["compare", "/no/a", "/no/b"], "/no/a/results.json holds no results of this version, expected what"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["eval", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert error[0].startswith("dra-grpo: error: ")
    assert said in error[0]


def test_mistakes_of_a_comparison(two_runs, capsys):
    paths = [str(two_runs / "a"), str(two_runs / "b")]
    assert main(["eval", "compare", *paths, "--metric", "pass@4"]) == 2
    assert "countdown: pass@4 needs 1 to 2 samples a problem" in capsys.readouterr().err
    assert main(["eval", "compare", *paths, "--detect", "0"]) == 2
    assert "the difference to detect is 0 points" in capsys.readouterr().err
    assert main(["eval", "countdown", *SMALL, "--samples", "4", "--out", paths[0], "--seed", "3"]) == 2
    assert "holds samples of countdown with other settings (seed 0, now 3)" in capsys.readouterr().err
