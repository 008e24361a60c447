"""A comparison for the terminal."""

from __future__ import annotations

from typing import Any

from dra_grpo.evaluation.results_table import markdown

HEADER = (
    "Tasks",
    "Problems",
    "Samples",
    "First",
    "Second",
    "Difference",
    "95% interval",
    "p",
    "p (Holm)",
    "± same problems",
)
EXPLANATION = """Difference: second minus first, paired by problem. Interval: bootstrap over problems, then samples.
p: two-sided sign-flip permutation test over problems; Holm: over the benchmarks listed. The last column is half the
95% interval for these very problems, from sampling alone. None of them speaks of other training seeds."""


def comparison_table(comparison: dict[str, Any]) -> str:
    """First, second and their difference for every benchmark, and what the columns mean."""
    points = comparison["metric"] not in ("distinct", "tokens", "exact_distinct")
    rows = [_row(name, task, points) for name, task in comparison["tasks"].items()]
    if average := comparison["average"]:
        rows.append(_row(f"average of {len(rows)}", average, points))
    what = f"{comparison['metric']}{', in points' if points else ''}"
    lines = [
        f"first:  {comparison['first']}",
        f"second: {comparison['second']}",
        f"metric: {what}\n",
        markdown(HEADER, rows, "lrrrrrrrrr"),
        f"\n{EXPLANATION}",
        *(f"note: {note}" for note in comparison["notes"]),
    ]
    return "\n".join(lines)


def detection_table(comparison: dict[str, Any]) -> str:
    """What it takes to see a difference of the size asked about."""
    rows = []
    for name, task in comparison["tasks"].items():
        found = task["detect"]
        other = "no number is enough" if found["samples_other"] is None else found["samples_other"]
        rows.append([name, task["problems"], found["samples_fixed"], other, found["problems"]])
        size = 100 * found["size"]
    header = ("Tasks", "Problems", "Samples, same problems", "Samples, other problems", "Problems, same samples")
    return (
        f"To see a difference of {size:g} points with 80% power at the 5% level, each model needs (samples a problem, "
        f"or problems of the kind):\n\n{markdown(header, rows, 'lrrrr')}"
    )


def _row(name: str, entry: dict[str, Any], points: bool) -> list[object]:
    scale, digits = (100, 1) if points else (1, 2)

    def number(value: float, sign: str = "") -> str:
        return f"{scale * value:{sign}.{digits}f}"

    difference = entry["difference"]
    stderr = entry.get("stderr_samples")
    return [
        name,
        entry.get("problems", ""),
        "/".join(map(str, entry["samples"])) if "samples" in entry else "",
        number(entry["first"]),
        number(entry["second"]),
        number(difference["value"], "+"),
        f"[{number(difference['low'], '+')}, {number(difference['high'], '+')}]",
        _p(entry["p"]),
        _p(entry["p_holm"]) if "p_holm" in entry else "",
        "" if stderr is None else f"± {number(1.96 * stderr)}",
    ]


def _p(p: float) -> str:
    return "<0.0001" if p < 1e-4 else f"{p:.4f}"
