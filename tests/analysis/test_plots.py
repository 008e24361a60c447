"""Plots: nothing outside the axes, no smoothing that moves the mean, and ink that a page can change."""

import re
from types import SimpleNamespace

import pytest

from dra_grpo.analysis.plots import FEW_STEPS, INK, curve_plot, pass_at_k_plot, smoothed, trade_off_plot
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


def policy(value, *colder, rule=None):
    """Results at temperature 1, at others, and by the rule, as a run's page hands them over."""
    entries = [{"value": v, "low": v, "high": v} for v in (value, *colder, rule or 0)]
    at = [{"pass@1": entry, "pass@16": entry} for entry in entries]
    temperatures = dict(enumerate([*at[1:-1], at[0]])) if colder else {}
    return {**at[0], "temperatures": temperatures, "rule": at[-1] if rule else {}}


def test_a_policy_is_a_curve_over_temperature_with_the_rules_star():
    from matplotlib.figure import Figure

    figure = Figure()
    policies = {"base": policy(0.5, 0.7, 0.6, rule=0.8), "trained": policy(0.55, 0.65, rule=0.9), "old": policy(0.4)}
    trade_off_plot(policies, "pass@16").draw(figure)
    (axes,) = figure.axes
    drawn = [(line.get_marker(), list(line.get_xdata())) for line in axes.lines]
    assert [x for marker, x in drawn if marker == "*"] == [[0.8], [0.9]]
    assert ("o", [0.7, 0.6, 0.5]) in drawn
    assert ("o", [0.65, 0.55]) in drawn
    rings = [list(line.get_xdata()) for line in axes.lines if line.get_fillstyle() == "none"]
    assert rings == [[0.5], [0.55]], "temperature 1 is told from the others"
    arrows = [(note.xyann, note.xy) for note in axes.texts]
    assert arrows == [((0.8, 0.8), (0.8, 0.8)), ((0.8, 0.8), (0.9, 0.9)), ((0.5, 0.5), (0.4, 0.4))]
