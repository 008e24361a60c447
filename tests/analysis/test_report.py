"""The report: escaped, self-contained, and refused where there is nothing to report."""

import base64
import json
import re

import pytest

from dra_grpo.analysis.plots import CURVES, draw_curve, smoothed
from dra_grpo.analysis.report import _labelled, write_picture, write_report
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


def test_runs_of_one_name_are_told_apart(run, tmp_path):
    others = [tmp_path / "elsewhere" / name for name in ("run", "base")]
    for other in others:
        other.mkdir(parents=True)
        (other / "metrics.jsonl").write_text('{"step": 99, "reward": 0.5}\n')
    page = write_report(run, [*others, run]).read_text()
    assert "<h1>run</h1>" in page
    assert "20 steps" in page
    labels = [f"{tmp_path.name}/run", "elsewhere/run", "elsewhere/base"]
    assert list(_labelled([run, *others, run])) == labels
    assert list(_labelled([run, others[1] / ".." / "base"])) == labels[::2]


def test_a_report_of_the_folder_one_stands_in_has_its_name(run, monkeypatch):
    monkeypatch.chdir(run)
    assert "<h1>run</h1>" in write_report(".").read_text()


@pytest.mark.parametrize("values", [[-0.75, -0.7, -0.6], [0.5, -0.5, 0.25]])
def test_values_below_zero_stay_in_the_picture(values):
    picture = draw_curve(CURVES[0], {"run": [{"step": step, "reward": value} for step, value in enumerate(values)]})
    svg = base64.b64decode(picture.partition(",")[2]).decode()
    top, height = map(float, re.search(r'<clipPath.*?y="([\d.]+)".*?height="([\d.]+)"', svg, re.DOTALL).groups())
    lines = re.findall(r'<path d="([^"]*)" clip-path', svg)
    heights = [float(y) for line in lines for y in re.findall(r"[ML] \S+ (\S+)", line)]
    assert len(heights) > len(values)
    assert top <= min(heights)
    assert max(heights) <= top + height + 1e-3


def test_the_picture_alone(run, tmp_path):
    picture = write_picture([run], tmp_path / "picture.svg").read_text()
    assert picture.startswith("<?xml")
    (run / "eval.json").unlink()
    with pytest.raises(UsageError, match=r"holds no eval.json"):
        write_picture([run], tmp_path / "picture.svg")


def test_the_picture_of_a_run_called_base_keeps_the_base_policy(run, tmp_path):
    (tmp_path / "base").mkdir()
    evaluation = json.loads((run / "eval.json").read_text())
    evaluation["trained"] = {name: {"value": 0.9, "low": 0.8, "high": 1.0} for name in evaluation["base"]}
    (tmp_path / "base" / "eval.json").write_text(json.dumps(evaluation))
    picture = write_picture([run, tmp_path / "base"], tmp_path / "new" / "picture.svg").read_text()
    assert f"{tmp_path.name}/base" in picture
    assert picture.count("<!-- 0.900 -->") == 4
    assert picture.count("<!-- 0.500 -->") >= 8


def test_a_place_that_cannot_be_written_is_one_line(run):
    with pytest.raises(UsageError, match=r"metrics.jsonl/x.svg cannot be written: .*; choose a place that can"):
        write_picture([run], run / "metrics.jsonl" / "x.svg")


def test_half_a_surrogate_pair_does_not_cost_the_report(run):
    text = (run / "samples.jsonl").read_text().replace("1+1=2", r"1+1=\ud83d")
    (run / "samples.jsonl").write_text(text)
    assert r"1+1=\ud83d" in write_report(run).read_text(encoding="utf-8")


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
