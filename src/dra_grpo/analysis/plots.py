"""The plots of a run and of an evaluation."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from statistics import fmean
from typing import Any

from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.results import Results as EvaluationResults
from dra_grpo.files import write_whole

INK = "#1c2331"
"""The colour of all text and axes, which a page replaces by its own, so that a plot is readable on light and dark."""

COLOURS = ("#7f8894", "#2b7de0", "#e0792b", "#2f9e62", "#a35fd0", "#c9a227")
"""Grey for the base policy, blue for the run itself, then whatever it is compared with."""

STYLE: dict[Any, Any] = {
    "svg.hashsalt": "dra-grpo",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a run may be called $x$
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    **dict.fromkeys(("legend.fontsize", "axes.titlesize"), 9),
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}

FEW_STEPS = 30
"""Below that many steps each one is drawn as a point; from there on as a faint line under its moving average."""

Results = Mapping[str, Mapping[str, float]]
"""name -> value, low, high"""


@dataclass(frozen=True)
class Plot:
    """A picture, drawn anew for each place that it goes to; the same bytes whenever it is drawn.

    Attributes:
        draw: puts it on an empty figure.
        width, height: inches.
    """

    draw: Callable[[Any], None]
    width: float
    height: float

    def inline(self) -> str:
        """An `<svg>` to stand in an HTML page: as wide as there is room, on the page's background, in its ink."""
        svg = self._drawn("svg", transparent=True).decode()
        return svg[svg.index("<svg") :].replace(INK, "currentColor")

    def write(self, file: Path) -> Path:
        """Write it on white, as the name's ending says.

        Raises:
            UsageError: matplotlib has no such format, or the file cannot be written.
        """
        write_whole(file, self._drawn(file.suffix[1:], transparent=False))
        return file

    def _drawn(self, form: str, transparent: bool) -> bytes:
        require("matplotlib", "report", "a plot")
        import matplotlib
        from matplotlib.figure import Figure

        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            figure = Figure(figsize=(self.width, self.height), layout="constrained")
            if form not in (known := figure.canvas.get_supported_filetypes()):
                raise UsageError(f"a plot cannot be a file of type {form!r}; expected one of {', '.join(known)}")
            self.draw(figure)
            metadata = {"Date": None} if form == "svg" else None
            figure.savefig(buffer, format=form, transparent=transparent, metadata=metadata)
        return buffer.getvalue()


def curve_plot(
    series: Mapping[str, str], runs: Mapping[str, Sequence[Mapping[str, Any]]], best: int | None = None
) -> Plot | None:
    """Diagnostics of one or more runs over steps; None where no run logged a number other than 0.

    Args:
        series: key in `metrics.jsonl` -> label.
        runs: label -> lines of `metrics.jsonl`, the page's own run first (its lines are solid, the others' dashed).
        best: a step to mark; the values are then shown from the lowest on and not from 0.
    """
    lines = {
        (run, key): points
        for run, logged in runs.items()
        for key in series
        if (points := [(line["step"], line[key]) for line in logged if is_number(line.get(key))])
    }
    if not any(value for points in lines.values() for _, value in points):
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for (run, key), points in lines.items():
            steps, values = zip(*points, strict=True)
            colour = COLOURS[1 + list(series).index(key)]
            dashes = ("-", "--", ":", "-.")[list(runs).index(run) % 4]
            label = series[key] if len(runs) == 1 else f"{series[key]}, {run}"
            if len(steps) < FEW_STEPS:
                axes.plot(steps, values, dashes, color=colour, marker="o", markersize=4, label=label)
            else:
                axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
                axes.plot(steps, smoothed(values), dashes, color=colour, linewidth=1.8, label=label)
        axes.set_xlabel("step")
        axes.xaxis.get_major_locator().set_params(integer=True)
        if best is not None:
            axes.axvline(best, color=INK, linestyle=":", linewidth=1, label=f"best, step {best}")
        elif min(value for points in lines.values() for _, value in points) >= 0:
            axes.set_ylim(bottom=0)
        _legend(figure, axes)

    return Plot(draw, 5.4, 3.0 + 0.25 * len(runs))


def trade_off_plot(policies: Mapping[str, Any], *against: str) -> Plot:
    """pass@1 against other results, a panel for each.

    Each policy is a curve over temperature with a ring at temperature 1, and a star with its 95% intervals where one
    rule puts it; where its results have no temperatures, a point with its intervals. An arrow leads from the base
    policy to each of the others.

    Args:
        policies: label -> results, with `rule` and `temperatures` where they are known, the base policy first.
        against: the results on the vertical axes, such as `"pass@16"`.
    """
    base = next(iter(policies.values()))

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(against), squeeze=False)[0]
        for axes, name in zip(panels, against, strict=True):
            for (label, results), colour in zip(policies.items(), cycle(COLOURS)):
                over = [
                    [at[key]["value"] for at in results.get("temperatures", {}).values()] for key in ("pass@1", name)
                ]
                axes.plot(*over, "-o", color=colour, markersize=2.5, linewidth=1.2, alpha=0.7)
                ruled = bool(results.get("rule") and base.get("rule"))
                shown, start = (one["rule"] if ruled else one for one in (results, base))
                if ruled:
                    axes.plot(results["pass@1"]["value"], results[name]["value"], "o", color=colour, fillstyle="none")
                x, y, point = (
                    shown["pass@1"],
                    shown[name],
                    {"fmt": "*" if ruled else "o", "markersize": 11 if ruled else 6},
                )
                xerr, yerr = ([[e["value"] - e["low"]], [e["high"] - e["value"]]] for e in (x, y))
                axes.errorbar(x["value"], y["value"], xerr=xerr, yerr=yerr, color=colour, label=label, **point)
                ends = {"xy": (x["value"], y["value"]), "xytext": (start["pass@1"]["value"], start[name]["value"])}
                arrow = {"arrowstyle": "->", "color": colour, "alpha": 0.6, "shrinkA": 5, "shrinkB": 5}
                axes.annotate("", **ends, arrowprops=arrow)
            axes.set(xlabel="pass@1", ylabel=name, xmargin=0.12, ymargin=0.12)
        _legend(figure, panels[0])

    return Plot(draw, 5.0 * len(against), 3.8 + 0.1 * len(policies))


def pass_at_k_plot(results: EvaluationResults) -> Plot | None:
    """pass@k over k, a curve with its 95% band for each task; None where every task has one sample a problem."""
    curves = {
        name: {1: task.accuracy, **{int(key[5:]): one for key, one in task.metrics.items() if key[:5] == "pass@"}}
        for name, task in results.tasks.items()
        if task.samples > 1
    }
    if not curves:
        return None

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for (name, points), colour in zip(curves.items(), cycle(COLOURS[1:])):
            values, low, high = zip(*((one.value, one.low, one.high) for one in points.values()), strict=True)
            axes.plot(list(points), values, marker="o", markersize=3, color=colour, label=name)
            axes.fill_between(list(points), low, high, color=colour, alpha=0.15, linewidth=0)
        ticks = sorted({k for points in curves.values() for k in points})
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, map(str, ticks))
        axes.set(title=results.model, xlabel="k", ylabel="pass@k", ylim=(0, 1))
        _legend(figure, axes)

    return Plot(draw, 6.0, 4.0)


def smoothed(values: Sequence[float], window: int = 15) -> list[float]:
    """Centred moving average, over fewer values at the ends.

    >>> smoothed([0.0, 3.0, 6.0], window=3)
    [1.5, 3.0, 4.5]
    """
    half = window // 2
    return [fmean(values[max(0, i - half) : i + half + 1]) for i in range(len(values))]


def is_number(value: object) -> bool:
    """Whether it can be drawn.

    >>> is_number(0.5), is_number(math.nan), is_number(None)
    (True, False, False)
    """
    return isinstance(value, int | float) and math.isfinite(value)


def _legend(figure: Any, axes: Any) -> None:
    """Below the plot, where it hides nothing; one label a line where they are long."""
    handles, labels = axes.get_legend_handles_labels()
    columns = len(labels) if sum(map(len, labels)) <= 50 else 1
    figure.legend(handles, [label[-60:] for label in labels], loc="outside lower center", ncols=columns)
