"""What an experiment came to: a table, a plot and the numbers behind them, each a file beside the runs' ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import cycle
from typing import Any

from dra_grpo.analysis.plots import COLOURS, Plot
from dra_grpo.errors import UsageError
from dra_grpo.evaluation.statistics import Estimate
from dra_grpo.files import write_json, write_whole
from dra_grpo.lab.experiment import FIGURES, Experiment, Place, rows
from dra_grpo.lab.runs import ledger


def report(experiment: Experiment, place: Place, seeds: int, bases: Sequence[int]) -> list[str]:
    """Write NAME.md, NAME.json and NAME.svg from the runs that are there; the lines to print.

    Raises:
        UsageError: none of its runs is there.
    """
    lines = [experiment.question or experiment.name]
    if experiment.arms:
        found = list(rows(experiment, ledger(place.ledger), seeds, bases))
        if not found:
            raise UsageError(f"{place.ledger} has no run of {experiment.name!r}; `dra-grpo lab run {experiment.name}`")
        write_json(place.out / f"{experiment.name}.json", [_plain(row) for row in found])
        frontier_plot(found).write(place.out / f"{experiment.name}.svg")
        on = f"On {experiment.sets[-1]}; 95% intervals for other runs and other sets of numbers."
        lines += ["", on, "", *markdown(found)]
        if experiment.against and any(row["differences"] for row in found):
            lines += ["", f"Minus {experiment.against!r}, run by run:", "", *markdown(found, "differences")]
    if experiment.analyse:
        lines += ["", *experiment.analyse(place, seeds, bases)]
    write_whole(place.out / f"{experiment.name}.md", "\n".join(lines) + "\n")
    return lines


def markdown(found: Sequence[Mapping[str, Any]], side: str = "figures") -> list[str]:
    """The rows as a Markdown table: each arm's own figures, or its differences."""
    kept = [row for row in found if row[side]]
    header = ["arm", "runs", "T*", *FIGURES] if side == "figures" else ["arm", *FIGURES]
    lines = [" | ".join(header), " | ".join("---" for _ in header)]
    for row in kept:
        first = [row["arm"]]
        if side == "figures":
            first += [str(row["runs"]), ", ".join(f"{t:g}" for t in row["temperatures"])]
        lines.append(" | ".join([*first, *(_cell(row[side][name], name) for name in FIGURES)]))
    return [f"| {line} |" for line in lines]


def frontier_plot(found: Sequence[Mapping[str, Any]]) -> Plot:
    """pass@16 against pass@1: each arm over temperatures as a line, and by the one rule as a point with intervals."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for row, colour in zip(found, cycle(COLOURS)):
            points = [point for t, point in sorted(row["points"].items()) if t > 0]
            axes.plot(*zip(*points, strict=True), color=colour, alpha=0.4, linewidth=1)
            x, y = row["figures"]["greedy"], row["figures"]["pass@16"]
            xerr, yerr = ([[e.value - e.low], [e.high - e.value]] for e in (x, y))
            axes.errorbar(x.value, y.value, xerr=xerr, yerr=yerr, fmt="o", color=colour, label=row["arm"])
        axes.set(xlabel="pass@1: greedy (points), at one temperature (lines)", ylabel="pass@16", ylim=(0.8, 1.0))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    return Plot(draw, 7.0, 4.4 + 0.12 * len(found))


def _cell(estimate: Estimate, figure: str) -> str:
    digits = {"sunk": 0, "distinct": 2}.get(figure, 3)
    value, low, high = (f"{each:.{digits}f}" for each in (estimate.value, estimate.low, estimate.high))
    return value if low == "nan" else f"{value} [{low}, {high}]"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {figure: asdict(estimate) for figure, estimate in value.items()}
        if name in ("figures", "differences")
        else value
        for name, value in row.items()
    }
