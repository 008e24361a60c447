"""The report: escaped, self-contained, and refused where there is nothing to report."""

import json
import re

import pytest

from dra_grpo.analysis.curves import CURVES, smoothed
from dra_grpo.analysis.report import write_picture, write_report
from dra_grpo.errors import UsageError

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'{{ 7*7 }}"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    keys = {key for curve in CURVES for key, _ in curve.series}
    lines = [{"step": s, "step_time": 0.5, "dra/seconds": 0.005, **dict.fromkeys(keys, s / 10)} for s in range(1, 21)]
    lines[3]["dra/smi"] = None
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 21, "cut')
    group = {"id": "a", "step": 1, "prompt": HOSTILE, "completions": [HOSTILE, "1+1=2"], "correct": [False, True],
             "rewards": [None, 1.0], "adjusted": [None, 0.5], "smi": [None, 1.0],
             "advantages": [0.0, 0.7]}  # fmt: skip
    (folder / "samples.jsonl").write_text(json.dumps(group) + "\n")
    entry = {"value": 0.5, "low": 0.4, "high": 0.6}
    figures = dict.fromkeys(("pass@1", "pass@16", "distinct", "coverage"), entry)
    evaluation = {"task": "countdown", "split": "test", "problems": 500, "method": "dra",
                  "base": figures, "trained": figures, "difference": figures}  # fmt: skip
    (folder / "eval.json").write_text(json.dumps(evaluation))
    return folder


def test_model_output_is_escaped_and_nothing_is_loaded_from_elsewhere(run):
    page = write_report(run).read_text()
    assert HOSTILE not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_every_logged_curve_is_drawn_and_explained(run):
    page = write_report(run).read_text()
    for curve in CURVES:
        assert f'alt="{curve.title}"' in page
        assert curve.meaning in page
    assert page.count("data:image/svg+xml;base64,") == len(CURVES) + 1
    assert "(1.00%)" in page


def test_a_curve_that_was_not_logged_is_left_out(run):
    lines = [{"step": s, "reward": 0.5} for s in range(3)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run / "eval.json").unlink()
    (run / "samples.jsonl").unlink()
    page = write_report(run).read_text()
    assert page.count("data:image/svg+xml;base64,") == 1
    assert "held-out" not in page


def test_runs_are_drawn_side_by_side(run, tmp_path):
    other = tmp_path / "grpo"
    other.mkdir()
    for file in ("metrics.jsonl", "eval.json"):
        (other / file).write_bytes((run / file).read_bytes())
    alone, beside = len(write_report(run).read_text()), len(write_report(run, [other]).read_text())
    assert beside > alone


def test_the_picture_alone(run, tmp_path):
    picture = write_picture([run], tmp_path / "picture.svg").read_text()
    assert picture.startswith("<?xml")
    (run / "eval.json").unlink()
    with pytest.raises(UsageError, match=r"holds no eval.json"):
        write_picture([run], tmp_path / "picture.svg")


def test_the_same_run_gives_the_same_page(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_nothing_to_report(tmp_path):
    with pytest.raises(UsageError, match=r"holds no metrics.jsonl"):
        write_report(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(UsageError, match="is empty: the run was stopped before its first step"):
        write_report(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("no json\n")
    with pytest.raises(UsageError, match="line 1 is no JSON"):
        write_report(tmp_path)


def test_smoothing_keeps_the_mean_of_each_window():
    values = [float(v) for v in range(10)]
    expected = [sum(values[max(0, i - 2) : i + 3]) / len(values[max(0, i - 2) : i + 3]) for i in range(10)]
    assert smoothed(values, window=5) == pytest.approx(expected)
