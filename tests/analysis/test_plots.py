"""Plots: nothing outside the axes, no smoothing that moves the mean, and ink that a page can change."""

import re
from types import SimpleNamespace

import pytest

from dra_grpo.analysis.plots import FEW_STEPS, INK, curve_plot, pass_at_k_plot, smoothed
from dra_grpo.evaluation.statistics import Estimate

REWARD = {"reward": "reward"}


def curve(values):
    return curve_plot(REWARD, {"run": [{"step": step, "reward": value} for step, value in enumerate(values)]})


@pytest.mark.parametrize("values", [[-0.75, -0.7, -0.6], [0.5, -0.5, 0.25], [1.0] * FEW_STEPS + [-1.0]])
def test_values_below_zero_stay_in_the_picture(values):
    svg = curve(values).inline()
    top, height = map(float, re.search(r'<clipPath.*?y="([\d.]+)".*?height="([\d.]+)"', svg, re.DOTALL).groups())
    lines = re.findall(r'<path d="([^"]*)" clip-path', svg)
    heights = [float(y) for line in lines for y in re.findall(r"[ML] \S+ (\S+)", line)]
    assert len(heights) > 1
    assert top <= min(heights)
    assert max(heights) <= top + height + 1e-3


def test_a_plot_takes_the_pages_ink_and_a_file_keeps_its_own(tmp_path):
    plot = curve([0.1, 0.2])
    assert plot.inline().startswith("<svg")
    assert "currentColor" in plot.inline()
    assert INK not in plot.inline()
    assert INK in plot.write(tmp_path / "plot.svg").read_text()
    assert plot.write(tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("values", [[], [None, float("nan")], [0.0, 0.0], ["text"]])
def test_nothing_to_draw(values):
    assert curve(values) is None


def test_pass_at_k_is_drawn_where_there_is_more_than_one_k():
    one = Estimate(0.5, 0.4, 0.6, 0.05)
    many = SimpleNamespace(samples=2, accuracy=one, metrics={"avg@2": one, "pass@2": one, "maj@2": one})
    single = SimpleNamespace(samples=1, accuracy=one, metrics={"avg@1": one})
    tasks = {"many": many, "single": single}
    results = SimpleNamespace(model="m", tasks=tasks)
    svg = pass_at_k_plot(results).inline()
    assert ">many<" in svg
    assert ">single<" not in svg
    del tasks["many"]
    assert pass_at_k_plot(results) is None


def test_smoothing_keeps_the_mean_of_each_window():
    values = [float(v) for v in range(10)]
    expected = [sum(values[max(0, i - 2) : i + 3]) / len(values[max(0, i - 2) : i + 3]) for i in range(10)]
    assert smoothed(values, window=5) == pytest.approx(expected)
