"""`report.html`: what a run did, on one self-contained page, every model output escaped."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from os.path import commonpath
from pathlib import Path
from statistics import median
from typing import Any

from dra_grpo.analysis.plots import curve_plot, is_number, smoothed, trade_off_plot
from dra_grpo.config import DRAConfig, RunConfig
from dra_grpo.cost import cost_line
from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.one_rule import verdict
from dra_grpo.files import json_lines, read_json, write_whole

SHOWN_GROUPS = 3
"""Groups shown of the first and of the last saved step."""

ARMS = {"dra": "DRA", "none": "plain GRPO"}
"""method -> what the page calls it; the others have their own names."""

REFERENCE = Path(__file__).parents[1] / "recipes" / "countdown.reference.json"
"""Plain GRPO's results on the recipe `countdown`, by seed, and what they were measured with."""

FREE = {f"{kind}{more}" for kind in ("method", "embedder") for more in ("", "_options")} | {
    "embed", "answer", "seed", "output_dir", "report_to", "logging_steps", "save_steps", "save_total_limit",
    "samples_every", "price_per_gpu_hour", "validation_problems", "eval_strategy", "eval_steps", "eval_on_start",
    "per_device_eval_batch_size",
}  # fmt: skip
"""Settings in which a run may differ from the plain GRPO that it is compared with."""


def write_report(run: str | Path, against: Sequence[str | Path] = ()) -> Path:
    """Write `report.html` into a run directory.

    Args:
        run: a directory that `dra-grpo train` wrote, of a run that may have been interrupted or not evaluated.
        against: further run directories to show beside it; without one, the packaged results of plain GRPO are shown
            where the run has the same recipe.

    Returns:
        The report's path.

    Raises:
        UsageError: a directory that holds no run, or the extra `report` is not installed.
    """
    require("jinja2", "report", "the report")
    import yaml
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(run)
    runs = _labelled([run, *against])
    metrics = {label: _metrics(each) for label, each in runs.items()}
    own = next(iter(metrics.values()))
    evaluation = read_json(folder / "eval.json")
    environment = read_json(folder / "environment.json")
    file = folder / "config.yaml"
    config = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    policies = _policies(runs)
    plain = _plain_grpo(config, evaluation) if evaluation.get("method", "none") != "none" and not against else None
    if plain and not plain["unlike"]:
        policies["plain GRPO (packaged)"] = {"rule": {}, "temperatures": {}, **plain["trained"][plain["seed"]]}
    page = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    html = page.get_template("report.html.jinja").render(
        name=folder.resolve().name,
        folder=folder,
        config=config,
        environment=environment,
        command=shlex.join(["dra-grpo", *environment.get("command", [])[1:]]),
        cost=cost_line(environment["cost"]) if environment.get("cost") else None,
        steps=own[-1]["step"] if own else 0,
        finished=bool(evaluation) or any(folder.glob("*model*")),
        reward=smoothed([x["dra/raw_reward"] for x in own if is_number(x.get("dra/raw_reward"))], len(own) // 5),
        evaluation=evaluation,
        verdict=verdict(evaluation) if "one_rule" in evaluation else "",
        policies=policies,
        plain=plain,
        trade_off_plot=lambda result: trade_off_plot(policies, result).inline(),
        curve_plot=lambda series, best=None: (plot := curve_plot(series, metrics, best)) and plot.inline(),
        best=_best(own, config),
        groups=_shown(folder / "samples.jsonl"),
        share=median([x["dra/share_of_step"] for x in own if x.get("dra/share_of_step")] or [0]),
    )
    report = folder / "report.html"
    write_whole(report, html)
    return report


def write_picture(runs: Sequence[str | Path], file: str | Path) -> Path:
    """Write pass@1 against pass@16 and distinct solutions of the base policy and of every run's trained one.

    Raises:
        UsageError: a run without `eval.json`, or a file that cannot be written.
    """
    for folder in map(Path, runs):
        if not (folder / "eval.json").exists():
            raise UsageError(f"{folder} holds no eval.json; expected a run that was evaluated")
    return trade_off_plot(_policies(_labelled(runs)), "pass@16", "distinct").write(Path(file))


def _labelled(runs: Sequence[str | Path]) -> dict[str, Path]:
    """Runs by their paths below the folder that holds them all, each once."""
    folders = {Path(run).resolve(): Path(run) for run in runs}
    shared = commonpath([folder.parent for folder in folders])
    return {str(folder.relative_to(shared)): given for folder, given in folders.items()}


def _metrics(folder: Path) -> list[dict[str, Any]]:
    """The logged steps; none where the run stopped before its first."""
    if not any((folder / file).exists() for file in ("metrics.jsonl", "config.yaml", "eval.json")):
        raise UsageError(f"{folder} holds no run; expected a directory that `dra-grpo train` wrote")
    file = folder / "metrics.jsonl"
    return json_lines(file) if file.exists() else []


def _best(logged: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> tuple[str, int] | None:
    """The figure that is best at some step, and the first such step; None where nothing was evaluated meanwhile."""
    names = [config.get("metric_for_best_model"), "mean", "correct", "reward"]
    for name in filter(None, names):
        found = {line["step"]: line[f"eval_{name}"] for line in logged if is_number(line.get(f"eval_{name}"))}
        if found:
            pick = max if config.get("greater_is_better", True) else min
            return name, pick(found, key=found.__getitem__)
    return None


def _policies(runs: Mapping[str, Path]) -> dict[str, Any]:
    """label -> results: the base policy, then each evaluated run, by its method and, where two have one, its path."""
    evaluated = {label: found for label, folder in runs.items() if (found := read_json(folder / "eval.json"))}
    on = {f"{e['problems']} {e['split']} problems of {e['task']}": label for label, e in evaluated.items()}
    if len(on) > 1:
        found = ", ".join(f"{label} on {problems}" for problems, label in on.items())
        raise UsageError(f"the runs were evaluated on different problems: {found}; compare runs on the same ones")
    methods = [evaluation["method"] for evaluation in evaluated.values()]
    policies: dict[str, Any] = {}
    for (label, evaluation), method in zip(evaluated.items(), methods, strict=True):
        policies.setdefault("base", _side(evaluation, "base"))
        arm = ARMS.get(method) or method
        policies[arm if methods.count(method) == 1 else f"{arm} ({label})"] = _side(evaluation, "trained")
    return policies


def _side(evaluation: Mapping[str, Any], name: str) -> dict[str, Any]:
    """One policy's results at temperature 1 and, of a run that has them, by the rule and over temperatures."""
    more = {"rule": evaluation.get("one_rule", {}), "temperatures": evaluation.get("temperatures", {})}
    return {**evaluation[name], **{key: found.get(name, {}) for key, found in more.items()}}


def _plain_grpo(config: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The packaged results of plain GRPO; under "unlike" what of the run differs from them, where it may not."""
    plain = read_json(REFERENCE)
    defaults = {**vars(RunConfig()), **vars(DRAConfig())}
    here, there = ({**defaults, **given} for given in (config, plain["settings"]))
    names = sorted((here.keys() | there.keys()) - FREE)
    unlike = [f"{n} {here.get(n)} (there {there.get(n)})" for n in names if here.get(n) != there.get(n)]
    if not unlike and abs(plain["base"]["pass@1"]["value"] - evaluation["base"]["pass@1"]["value"]) > 0.001:
        unlike = ["the base policy"]
    seed = str(config.get("seed")) if str(config.get("seed")) in plain["trained"] else "0"
    return {**plain, "unlike": unlike, "seed": seed}


def _shown(file: Path) -> list[dict[str, Any]]:
    """Some groups of the first and the last saved step, each as rows."""
    saved = json_lines(file) if file.exists() else []
    steps = sorted({group["step"] for group in saved})
    shown = []
    for step in sorted({*steps[:1], *steps[-1:]}):
        for group in [g for g in saved if g["step"] == step][:SHOWN_GROUPS]:
            columns = ("completions", "correct", "rewards", "smi", "adjusted", "advantages")
            rows = sorted(zip(*(group[c] for c in columns), strict=True), key=lambda row: (not row[1], row[0]))
            shown.append({"step": step, "prompt": group["prompt"], "rows": rows})
    return shown
