"""`report.html`: what a run did, on one self-contained page, every model output escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from dra_grpo.analysis.plots import CURVES, data_uri, draw_curve, evaluation_figure, svg
from dra_grpo.cost import cost_line
from dra_grpo.errors import UsageError, require
from dra_grpo.files import json_lines, read_json, write_whole

SHOWN_GROUPS = 3
"""Groups shown of the first and of the last saved step."""


def write_report(run: str | Path, against: Sequence[str | Path] = ()) -> Path:
    """Write `report.html` into a run directory.

    Args:
        run: a directory that `dra-grpo train` wrote.
        against: further run directories to draw beside it, such as plain GRPO's.

    Returns:
        The report's path.

    Raises:
        UsageError: a directory without `metrics.jsonl`, or the extra `report` is not installed.
    """
    require("matplotlib", "report", "the report")
    require("jinja2", "report", "the report")
    from jinja2 import Environment, StrictUndefined

    folder = Path(run)
    runs = _labelled([run, *against])
    metrics = {label: _metrics(each) for label, each in runs.items()}
    own = next(iter(metrics.values()))
    evaluation = read_json(folder / "eval.json")
    environment = read_json(folder / "environment.json")
    config = folder / "config.yaml"
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).from_string(
        files(__package__).joinpath("report.html.jinja").read_text(encoding="utf-8")
    )
    html = page.render(
        name=folder.resolve().name,
        config=config.read_text(encoding="utf-8") if config.exists() else "",
        environment=environment,
        cost=cost_line(environment["cost"]) if environment.get("cost") else None,
        steps=own[-1]["step"],
        evaluation=evaluation,
        evaluation_picture=data_uri(evaluation_figure(_evaluations(runs))) if evaluation else None,
        curves=[(curve, picture) for curve in CURVES if (picture := draw_curve(curve, metrics))],
        groups=_shown(folder / "samples.jsonl"),
        share=_median_share(own),
    )
    return _written(folder / "report.html", html)


def write_picture(runs: Sequence[str | Path], file: str | Path) -> Path:
    """Write the figures of the base policy and of every run's trained one, with their intervals, as an SVG.

    Raises:
        UsageError: a run without `eval.json`.
    """
    require("matplotlib", "report", "the picture")
    for folder in map(Path, runs):
        if not (folder / "eval.json").exists():
            raise UsageError(f"{folder} holds no eval.json; expected a run that was evaluated")
    return _written(Path(file), svg(evaluation_figure(_evaluations(_labelled(runs)))).decode())


def _written(file: Path, text: str) -> Path:
    try:
        write_whole(file, text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; choose a place that can") from error
    return file


def _labelled(runs: Sequence[str | Path]) -> dict[str, Path]:
    """Runs by name, each once; by as much of their paths as tells them apart, and from the base policy."""
    folders = {Path(run).resolve(): Path(run) for run in runs}
    for depth in count(1):
        labels = ["/".join(folder.parts[-depth:]) for folder in folders]
        if len({"base", *labels}) > len(labels):
            break
    return dict(zip(labels, folders.values(), strict=True))


def _metrics(folder: Path) -> list[dict[str, Any]]:
    file = folder / "metrics.jsonl"
    if not file.exists():
        raise UsageError(f"{folder} holds no metrics.jsonl; expected a directory that `dra-grpo train` wrote")
    lines = json_lines(file)
    if not lines:
        raise UsageError(f"{file} is empty: the run was stopped before its first step; train it first")
    return lines


def _evaluations(runs: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    sides: dict[str, dict[str, Any]] = {}
    for label, folder in runs.items():
        evaluation = read_json(folder / "eval.json")
        if not evaluation:
            continue
        sides.setdefault("base", evaluation["base"])
        sides["trained" if len(runs) == 1 else label] = evaluation["trained"]
    return sides


def _shown(file: Path) -> list[dict[str, Any]]:
    """Some groups of the first and the last saved step, each as rows."""
    if not file.exists():
        return []
    saved = json_lines(file)
    steps = sorted({group["step"] for group in saved})
    shown = []
    for step in dict.fromkeys((steps[0], steps[-1])) if steps else ():
        for group in [g for g in saved if g["step"] == step][:SHOWN_GROUPS]:
            columns = ("completions", "correct", "rewards", "smi", "adjusted", "advantages")
            rows = sorted(zip(*(group[c] for c in columns), strict=True), key=lambda row: (not row[1], row[0]))
            shown.append({"step": step, "prompt": group["prompt"], "rows": rows})
    return shown


def _median_share(lines: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    """Median seconds of the adjustment and of the step, and their ratio."""
    timed = [(x["dra/seconds"], x["step_time"]) for x in lines if x.get("dra/seconds") and x.get("step_time")]
    if not timed:
        return None
    own, step = median(t[0] for t in timed), median(t[1] for t in timed)
    return {"own": own, "step": step, "share": own / step}
