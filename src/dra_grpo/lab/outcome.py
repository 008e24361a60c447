"""What an experiment came to: a table, a plot and the numbers behind them, each a file beside the runs' ledger."""

from collections.abc import Mapping, Sequence
from typing import Any

from dra_grpo.analysis.plots import Plot
from dra_grpo.errors import UsageError
from dra_grpo.files import write_json, write_whole
from dra_grpo.lab.experiment import Experiment, Place, rows
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
        for row in found:
            for side in ("figures", "differences"):
                row[side] = {name: vars(figure) for name, figure in row[side].items()}
        write_json(place.out / f"{experiment.name}.json", found)
        frontier_plot(found).write(place.out / f"{experiment.name}.svg")
        on = f"On {experiment.sets[-1]}; 95% intervals for other runs and other sets of numbers."
        own = [
            {"arm": row["arm"], "runs": row["runs"], "T*": str(row["temperatures"])[1:-1], **row["figures"]}
            for row in found
        ]
        lines += ["", on, "", *table(own)]
        if differences := [{"arm": row["arm"], **row["differences"]} for row in found if row["differences"]]:
            lines += ["", f"Minus {experiment.against!r}, run by run:", "", *table(differences)]
    if experiment.analyse:
        lines += ["", *experiment.analyse(place, seeds, bases)]
    write_whole(place.out / f"{experiment.name}.md", "\n".join(lines) + "\n")
    return lines


def table(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Records of one kind as a Markdown table: means with their interval or their ratio, numbers, anything else.

    >>> table([{"arm": "GRPO", "mean": {"value": 0.5, "low": 0.25, "high": 0.75}, "p": 0.123456}])
    ['| arm | mean | p |', '| --- | --- | --- |', '| GRPO | 0.500 [0.250, 0.750] | 0.123 |']
    """
    lines = [[*records[0]], ["---"] * len(records[0]), *(map(_cell, record.values()) for record in records)]
    return [f"| {' | '.join(line)} |" for line in lines]


def frontier_plot(found: Sequence[Mapping[str, Any]]) -> Plot:
    """pass@16 against pass@1: each arm over temperatures as a line, and by the one rule as a point with intervals."""

    def draw(figure: Any) -> None:
        import matplotlib

        axes, colours = figure.subplots(), matplotlib.colormaps["tab10" if len(found) <= 10 else "tab20"]
        for place, row in enumerate(found):
            points = [point for t, point in sorted(row["points"].items()) if t > 0]
            axes.plot(*zip(*points, strict=True), color=colours(place), alpha=0.5, linewidth=1.2)
            x, y = row["figures"]["greedy"], row["figures"]["pass@16"]
            xerr, yerr = ([[e["value"] - e["low"]], [e["high"] - e["value"]]] for e in (x, y))
            style = {"fmt": "os^Dv"[place % 5], "elinewidth": 0.7, "color": colours(place), "label": row["arm"]}
            axes.errorbar(x["value"], y["value"], xerr=xerr, yerr=yerr, **style)
        axes.set(xlabel="pass@1", ylabel="pass@16", xlim=(0.45, 0.9), ylim=(0.8, 1.0))
        axes.set_title("points: the first sample greedy, the others at T*; lines: every sample at one temperature")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)

    return Plot(draw, 7.6, 4.4 + 0.12 * len(found))


def _cell(value: Any) -> str:
    if not isinstance(value, Mapping):
        return f"{value:.3g}" if isinstance(value, float) else str(value)
    digits = 0 if abs(value["value"]) >= 10 else 3
    mean, low, high = (f"{value[key]:.{digits}f}" for key in ("value", "low", "high"))
    if "ratio" in value:
        return f"{mean} ×{value['ratio']:.2g}"
    return mean if low == "nan" else f"{mean} [{low}, {high}]"
