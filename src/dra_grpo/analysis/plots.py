"""The pictures of a report: each a question, a plot of logged figures, and how to read it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Series = tuple[str, str]
"""(key in metrics.jsonl, label)"""


@dataclass(frozen=True)
class Curve:
    """One plot over steps.

    Attributes:
        title: the question it answers.
        series: what is drawn.
        meaning: how to read it, one or two sentences.
        bottom: where the axis starts unless a value lies below, None to fit.
    """

    title: str
    series: tuple[Series, ...]
    meaning: str
    bottom: float | None = None


CURVES = (
    Curve(
        "Does it learn?",
        (("dra/raw_reward", "raw reward"), ("reward", "adjusted reward")),
        "The raw reward is what the reward functions gave; the adjusted one is what the policy is trained on. "
        "A raw reward that rises while the adjusted one does not means that groups fill up with copies.",
        0.0,
    ),
    Curve(
        "Do the groups stay diverse?",
        (("dra/distinct_completions", "distinct completions"), ("dra/similarity", "mean similarity")),
        "Distinct completions is the share of different texts in a group; mean similarity is the average cosine of "
        "two completions of a group. Collapse is the first falling while the second rises.",
        0.0,
    ),
    Curve(
        "How hard does the adjustment pull?",
        (("dra/weight_min", "smallest weight"), ("dra/weight_max", "largest weight")),
        "Rewards are multiplied by weights between these two. A band of no width leaves the ranking within each group "
        "as it was: no gain in accuracy or diversity can then be due to the adjustment.",
        0.0,
    ),
    Curve(
        "How redundant is a completion?",
        (("dra/smi", "mean SMI"), ("dra/effective_sample_size", "effective sample size")),
        "SMI counts how many others of its group a completion repeats: 0 is a loner, G - 1 a copy of all. The "
        "effective sample size says how many completions of a group the weights leave in play.",
        0.0,
    ),
    Curve(
        "Which groups carry a gradient?",
        (("dra/raw_zero_variance", "raw rewards all equal"), ("frac_reward_zero_std", "adjusted rewards all equal")),
        "Groups whose rewards are all equal teach plain GRPO nothing. Where the second curve lies below the first, "
        "the adjustment turns all-correct groups into gradient: wanted where their solutions differ, noise where "
        "they do not.",
        0.0,
    ),
    Curve(
        "Does a wrong answer ever win?",
        (("dra/inversions", "inversions a step"),),
        "Wrong completions that end above a correct one of their group. With a reward of 0 for wrong answers there "
        "are none; a format or length reward mixed in can make them.",
        0.0,
    ),
    Curve(
        "What does it cost?",
        (("dra/share_of_step", "share of the step"),),
        "Seconds spent on embedding and adjusting, over seconds of the whole step.",
        0.0,
    ),
)


def draw_curve(curve: Curve, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str | None:
    """One curve of one or more runs as an SVG data URI; None where no run logged it.

    Args:
        curve: what to draw.
        runs: label -> metrics lines, the report's own run first (its lines are solid, the others' dashed).
    """
    lowest = math.inf
    figure, axes = _axes(height=2.6 + 0.2 * len(runs))
    for place, (run, lines) in enumerate(runs.items()):
        for colour, (key, label) in enumerate(curve.series):
            points = [(line["step"], line[key]) for line in lines if line.get(key) is not None]
            if not points:
                continue
            steps, values = zip(*points, strict=True)
            lowest = min(lowest, *values)
            axes.plot(steps, values, color=f"C{colour}", alpha=0.2, linewidth=0.8)
            name = label if len(runs) == 1 else f"{label}, {run}"
            style = ("-", "--", ":", "-.")[place % 4]
            axes.plot(steps, smoothed(values), style, color=f"C{colour}", label=name, linewidth=1.8)
    if lowest == math.inf:
        return None
    axes.set_xlabel("step")
    if curve.bottom is not None and lowest >= curve.bottom:
        axes.set_ylim(bottom=curve.bottom)
    if len(runs) == 1:
        axes.legend(frameon=False, fontsize=8)
    else:
        figure.legend(loc="outside lower center", ncols=len(curve.series), frameon=False, fontsize=8)
    return data_uri(figure)


def evaluation_figure(evaluations: Mapping[str, Mapping[str, Mapping[str, float]]]) -> Any:
    """Bars with 95% intervals, one panel a figure, as a matplotlib figure.

    Args:
        evaluations: label -> figure -> {"value", "low", "high"}; all have the first one's figures.
    """
    from matplotlib.figure import Figure

    names = list(next(iter(evaluations.values())))
    width = max(2.1, 0.75 * len(evaluations))
    figure = Figure(figsize=(width * len(names), 2.8), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for place, (_, figures) in enumerate(evaluations.items()):
            entry = figures[name]
            error = [[entry["value"] - entry["low"]], [entry["high"] - entry["value"]]]
            axes.bar(place, entry["value"], yerr=error, color=f"C{place}", capsize=4, width=0.7)
            axes.annotate(f"{entry['value']:.3f}", (place, entry["high"]), ha="center", va="bottom", fontsize=8)
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(evaluations)), list(evaluations), fontsize=8)
        axes.margins(y=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def smoothed(values: Sequence[float], window: int = 15) -> list[float]:
    """Centred moving average, over fewer values at the ends.

    >>> smoothed([0.0, 3.0, 6.0], window=3)
    [1.5, 3.0, 4.5]
    """
    half = window // 2
    spans = [values[max(0, i - half) : i + half + 1] for i in range(len(values))]
    return [sum(span) / len(span) for span in spans]


def _axes(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    return figure, axes


def svg(figure: Any) -> bytes:
    """The same figure as the same bytes, whenever it is drawn."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dra-grpo"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def data_uri(figure: Any) -> str:
    """An SVG that a page carries with it."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg(figure)).decode()
