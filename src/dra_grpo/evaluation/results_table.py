"""Results for the terminal, in the columns of lm-evaluation-harness, and published ones beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dra_grpo.cost import cost_line
from dra_grpo.evaluation.benchmarks import BENCHMARKS, PAPER_FIVE
from dra_grpo.evaluation.published import PUBLISHED, sampling_error

HEADER = ("Tasks", "Version", "n-shot", "Metric", "Value", "Stderr", "95% interval", "Problems", "Samples")
VERSION = 1
"""Of the benchmark definitions; raised when a change makes figures no longer comparable."""


def results_table(results: dict[str, Any]) -> str:
    """Every figure of every task, with its interval, its problems and its samples."""
    rows = []
    for name, task in results["tasks"].items():
        counts = [task["problems"], task["samples"]]
        for metric, entry in task["figures"].items():
            rows.append([name, VERSION, 0, metric, *_cells(entry), *counts])
        for metric, entry in task.get("exact", {}).get("figures", {}).items():
            rows.append([name, VERSION, 0, f"exact {metric}", *_cells(entry), task["problems"], "all"])
    if average := results["average"]:
        count = len(average["tasks"])
        rows.append([f"average of {count}", VERSION, 0, "avg", *_cells(average), "", ""])
    return markdown(HEADER, rows, "lrrlrrrrr")


def published_table(results: dict[str, Any]) -> str | None:
    """The DRA paper's table and its re-runs, with this model's row; None unless all five benchmarks were run."""
    if not set(PAPER_FIVE) <= set(results["tasks"]):
        return None
    five = [results["tasks"][name] for name in PAPER_FIVE]
    entries = [next(iter(task["figures"].values())) for task in five]
    average = 100 * sum(entry["value"] for entry in entries) / 5
    errors = [entry["stderr_samples"] for entry in entries]
    own = None if None in errors else 1.96 * 100 * sum(error**2 for error in errors) ** 0.5 / 5
    samples = " ".join(f"{task['samples']}" for task in five)
    whole = all(task["problems"] in BENCHMARKS[name].counts for name, task in zip(PAPER_FIVE, five, strict=True))
    source = "this run" if whole else "this run, on other numbers of problems"
    rows = [[results["model"], f"{average:.1f}", _points(own), samples, source]]
    for one in PUBLISHED:
        rows.append(
            [
                one.model,
                f"{one.average:.1f}",
                _points(sampling_error(one.samples)),
                "not said" if one.samples is None else one.samples,
                f"{one.source}{', ' if one.note else ''}{one.note}",
            ]
        )
    return markdown(("Model", "Average of five", "± (samples alone, 95%)", "Samples", "Source"), rows, "lrrrl")


def remarks(results: dict[str, Any]) -> list[str]:
    """What has to be known beside the figures: data, unscorable golds, truncation, the cross-check, the cost."""
    lines = [f"note: {note}" for note in results["notes"]]
    for name, task in results["tasks"].items():
        if task["unscorable"]:
            shown = ", ".join(task["unscorable"][:8])
            lines.append(
                f"note: {name}: {len(task['unscorable'])} problems left out, nothing compares with their gold: {shown}"
            )
        if (cut := task["figures"]["truncated"]["value"]) > 0:
            lines.append(f"note: {name}: {cut:.1%} of the samples met the limit of {task['max_new_tokens']} tokens")
        exact = task.get("exact", {})
        if "why_not" in exact:
            lines.append(f"note: {name}: no exact figures: {exact['why_not']}")
        if "sampled_z" in exact:
            lines.append(f"{name}: the samples lie {exact['sampled_z']:+.2f} standard errors from the exact pass@1")
    lines.append(f"sampling took {cost_line(results['cost'])}")
    return lines


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]], align: str) -> str:
    """A Markdown table, padded; `align` has an l or an r for each column.

    >>> print(markdown(["task", "n"], [["aime24", 30]], "lr"))
    | task   |  n |
    |--------|---:|
    | aime24 | 30 |
    """
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    width = [max(len(row[column]) for row in cells) for column in range(len(header))]
    columns = list(zip(align, width, strict=True))
    lines = []
    for row in cells:
        padded = [c.ljust(w) if side == "l" else c.rjust(w) for c, (side, w) in zip(row, columns, strict=True)]
        lines.append(f"| {' | '.join(padded)} |")
    rules = ["-" * (w + 2) if side == "l" else "-" * (w + 1) + ":" for side, w in columns]
    return "\n".join([lines[0], f"|{'|'.join(rules)}|", *lines[1:]])


def _cells(entry: dict[str, Any]) -> list[str]:
    """Value, standard error where there is one, interval; four digits of a share, two of anything larger."""
    digits = 4 if abs(entry["value"]) <= 1 and abs(entry["high"]) <= 1 else 2
    stderr = entry.get("stderr")
    return [
        f"{entry['value']:.{digits}f}",
        "" if stderr is None else f"{stderr:.{digits}f}",
        f"[{entry['low']:.{digits}f}, {entry['high']:.{digits}f}]",
    ]


def _points(error: float | None) -> str:
    return "" if error is None else f"± {error:.1f}"
