"""`dra-grpo eval MODEL`: sample benchmarks, grade, and say what the results are worth; `eval compare A B`."""

from __future__ import annotations

from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any

from dra_grpo.cli.tables import CommandParser, table
from dra_grpo.errors import UsageError, require

DESCRIPTION = """Evaluate a model. Samples are saved as they come; the same command goes on where a run was stopped.
MODEL is a folder, a Hub name, a server's name for it, or `countdown`, the base policy that comes with the package.
`dra-grpo eval compare A B` compares two evaluations problem by problem."""

EVAL: dict[str, dict[str, Any]] = {
    "model": {"help": "what to evaluate"},
    "--tasks": {"required": True, "help": "aime24, aime25, amc23, math500, minerva, olympiadbench, gsm8k, countdown"},
    "--samples": {"help": "a problem: N, or 4,aime24=64 (default: 64 for AIME and AMC, 16 for countdown, 4 else)"},
    "--out": {"help": "folder for samples and results (default: runs/eval/ and the model's last part)"},
    "--temperature": {"help": "one, or several such as 0,.6,1: each in its own folder, and what they come to with the "
                      "first sample greedy (default: 0.6; 1 for countdown)"},
    "--data": {"nargs": "+", "action": "extend", "default": [], "metavar": "TASK=PATH",
               "help": "local files: jsonl, json, csv, parquet; else the Hub is asked"},
    "--columns": {"help": "which column is the problem, the answer, the id: problem=question,answer=gold for all "
                  "tasks, math500.problem=question for one; dots reach into mappings"},
    "--price-per-gpu-hour": {"type": float, "dest": "price", "metavar": "PRICE", "help": "prints what it cost"},
    "--no-plot": {"action": "store_true", "help": "do not draw pass_at_k.svg"},
}  # fmt: skip
"""Flags beside those of the fields of `EvalSettings`."""

KINDS = {"int": int, "float": float, "str": str}
COMPARE: dict[str, dict[str, Any]] = {
    "first": {"help": "folder of an evaluation, or its results.json"},
    "second": {"help": "the one to compare with it; differences are second minus first"},
    "--metric": {"default": "avg", "help": "avg, pass@K or another that eval prints (default: %(default)s)"},
    "--detect": {"type": float, "metavar": "POINTS", "help": "also say what shows a difference of this size"},
    "--json": {"type": Path, "metavar": "FILE", "help": "also write the comparison to this file"},
}  # fmt: skip


def run(arguments: list[str]) -> int:
    """Run `dra-grpo eval ARGUMENTS`."""
    if arguments[:1] == ["compare"]:
        return _compare(**_parsed("dra-grpo eval compare", COMPARE, arguments[1:]))
    from dra_grpo.evaluation.settings import EvalSettings

    flags = {f"--{one.name.replace('_', '-')}": _flag(one) for one in fields(EvalSettings) if one.metadata}
    chosen = _parsed("dra-grpo eval", EVAL | flags, arguments)
    plot = not chosen.pop("no_plot")
    temperatures = _temperatures(chosen.pop("temperature"))
    chosen["temperature"] = temperatures[0] if len(temperatures) == 1 else None
    settings = _settings(**chosen)
    if plot:
        require("matplotlib", "report", "the plot of pass@k (or leave it out with --no-plot)")
    from dra_grpo.analysis.plots import pass_at_k_plot
    from dra_grpo.evaluation.evaluate import evaluate
    from dra_grpo.evaluation.results import published_table, remarks, results_table
    from dra_grpo.evaluation.temperatures import EXPLANATION, evaluate_temperatures, temperatures_table

    several = len(temperatures) > 1
    try:
        results = evaluate_temperatures(settings, temperatures) if several else evaluate(settings)
    except KeyboardInterrupt:
        print(f"\ninterrupted; the same command goes on from the samples in {settings.out}")
        return 130
    shown = temperatures_table(results) if several else results_table(results)
    print("\n".join([table(*shown), "", *([EXPLANATION, ""] if several else []), *remarks(results)]))
    if published := published_table(results):
        print(f"\n{table(*published)}")
    curves = pass_at_k_plot(results) if plot else None
    drawn = curves and curves.write(settings.out / "pass_at_k.svg")
    print(f"\n{settings.out / 'results.json'}" + (f", {drawn}" if drawn else ""))
    return 0


def _compare(first: str, second: str, metric: str, detect: float | None, json: Path | None) -> int:
    from dra_grpo.evaluation.comparison import EXPLANATION, compare, comparison_table, needed
    from dra_grpo.evaluation.results import load_results
    from dra_grpo.files import write_json

    sides = load_results(first), load_results(second)
    comparison = compare(*sides, metric, detect and detect / 100)
    models = [side.model for side in sides]
    unit = ", in points" if comparison.unit == 100 else ""
    print(f"first:  {models[0]}\nsecond: {models[1]}\nmetric: {metric}{unit}\n")
    print(f"{table(*comparison_table(comparison))}\n")
    print("\n".join([EXPLANATION, *needed(comparison), *(f"note: {note}" for note in comparison.notes)]))
    if json:
        write_json(json, {"models": models, **asdict(comparison)})
    return 0


def _flag(one: Field[Any]) -> dict[str, Any]:
    return {"type": KINDS[str(one.type).partition(" ")[0]], "default": one.default, **one.metadata}


def _parsed(program: str, options: dict[str, dict[str, Any]], arguments: list[str]) -> dict[str, Any]:
    parser = CommandParser(prog=program, description=DESCRIPTION)
    for name, how in options.items():
        parser.add_argument(name, **how)
    return vars(parser.parse_args(arguments))


def _settings(model: str, tasks: str, **chosen: Any) -> Any:
    from dra_grpo.evaluation.benchmarks import BENCHMARKS, COLUMNS
    from dra_grpo.evaluation.settings import EvalSettings
    from dra_grpo.tasks import TASKS
    from dra_grpo.tasks.data import parse_columns

    names = tuple(BENCHMARKS[name].name for name in filter(None, tasks.split(",")))
    roles = [*COLUMNS, *(f"{name}.{role}" for name in names for role in COLUMNS)]
    out = chosen.pop("out") or Path("runs/eval") / Path(model).name
    if model == "countdown" and chosen["engine"] != "server" and not Path(model).is_dir():
        model = str(TASKS["countdown"].policy)
    chosen["columns"] = parse_columns(chosen["columns"], roles) if chosen["columns"] else {}
    data, chosen["data"] = chosen["data"], {}
    for text in data:
        task, _, path = text.partition("=")
        if task not in names or not path:
            raise UsageError(f"--data got {text!r}; expected a task of --tasks and its file, such as math500=PATH")
        chosen["data"][task] = Path(path).expanduser()
    chosen["samples"] = _samples(chosen["samples"] or "", names)
    return EvalSettings(model=model, tasks=names, out=Path(out), **chosen)


def _samples(text: str, tasks: tuple[str, ...]) -> dict[str, int]:
    """`4,aime24=64` as task -> count."""
    counts: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        task, _, number = part.rpartition("=")
        if not number.isdecimal() or task not in ("", *tasks):
            raise UsageError(f"--samples got {part!r}; expected numbers, also by task of --tasks, such as 4,aime24=64")
        counts |= dict.fromkeys([task] if task else tasks, int(number))
    return counts


def _temperatures(text: str | None) -> list[float]:
    """`0,.6,1` as numbers; none where they are left to the benchmarks."""
    try:
        return [float(part) for part in text.split(",")] if text else []
    except ValueError:
        raise UsageError(f"--temperature got {text!r}; expected a number, or several such as 0,.6,1") from None
