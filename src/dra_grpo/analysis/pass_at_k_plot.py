"""The picture of pass@k."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dra_grpo.errors import require


def write_plot(results: dict[str, Any], file: Path) -> Path | None:
    """Draw pass@k over k, a curve with its 95% band for each task; the ending of the name says the format.

    Returns:
        The file, or None where every task has one sample a problem and there is no curve.

    Raises:
        UsageError: matplotlib is missing.
    """
    curves = {name: curve(task["figures"]) for name, task in results["tasks"].items()}
    curves = {name: points for name, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    require("matplotlib", "report", "the plot of pass@k")
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, points in curves.items():
        ks = list(points)
        (line,) = axes.plot(ks, [points[k]["value"] for k in ks], marker="o", markersize=3, label=name)
        low, high = [points[k]["low"] for k in ks], [points[k]["high"] for k in ks]
        axes.fill_between(ks, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set_xscale("log", base=2)
    ticks = sorted({k for points in curves.values() for k in points})
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.set_ylim(0, 1)
    axes.set_xlabel("k")
    axes.set_ylabel("pass@k")
    axes.set_title(str(results["model"]), fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize=8)
    with matplotlib.rc_context({"svg.hashsalt": "dra-grpo"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return file


def curve(figures: dict[str, dict[str, float]]) -> dict[int, dict[str, float]]:
    """k -> its entry; avg@n is pass@1.

    >>> curve({"avg@2": {"value": 0.5}, "pass@2": {"value": 0.75}, "maj@2": {"value": 0.5}})
    {1: {'value': 0.5}, 2: {'value': 0.75}}
    """
    points = {int(name[5:]): entry for name, entry in figures.items() if name.startswith("pass@")}
    (average,) = [entry for name, entry in figures.items() if name.startswith("avg@")]
    return {1: average, **points}
