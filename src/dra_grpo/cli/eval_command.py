"""`dra-grpo eval MODEL`: sample benchmarks, grade, and say what the figures are worth; `dra-grpo eval compare A B`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from dra_grpo.cli.parser import CommandParser
from dra_grpo.errors import UsageError, require

DESCRIPTION = """Evaluate a model. Samples are saved as they come; the same command goes on where a run was stopped.
MODEL is a folder, a Hub name, a server's name for it, or `countdown`, the base policy that comes with the package.
`dra-grpo eval compare A B` compares two evaluations problem by problem."""


def run(arguments: list[str]) -> int:
    """Run `dra-grpo eval ARGUMENTS`."""
    if arguments and arguments[0] == "compare":
        from dra_grpo.cli.eval_compare import run as run_compare

        return run_compare(arguments[1:])
    chosen = _parser().parse_args(arguments)
    settings = _settings(chosen)
    if not chosen.no_plot:
        require("matplotlib", "report", "the plot of pass@k (or leave it out with --no-plot)")
    from dra_grpo.evaluation.evaluate import evaluate

    try:
        results = evaluate(settings)
    except KeyboardInterrupt:
        print(f"\ninterrupted; the same command goes on from the samples in {settings.out}")
        return 130
    _show(results, settings.out, None if chosen.no_plot else settings.out / "pass_at_k.svg")
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(prog="dra-grpo eval", description=DESCRIPTION)
    parser.add_argument("model", help="what to evaluate")
    parser.add_argument("--tasks", required=True, help="comma-separated: aime24, aime25, amc23, math500, minerva, "
                        "olympiadbench, gsm8k, countdown")  # fmt: skip
    parser.add_argument("--samples", help="a problem: N, or 4,aime24=64 (default: 64 for AIME and AMC, 16 for "
                        "countdown, 4 else)")  # fmt: skip
    parser.add_argument("--out", help="folder for samples and results (default: runs/eval/ and the model's last part)")
    parser.add_argument("--data", nargs="+", action="extend", default=[], metavar="TASK=PATH",
                        help="local files: jsonl, json, csv, parquet; else the Hub is asked")  # fmt: skip
    parser.add_argument("--column", nargs="+", action="extend", default=[], metavar="TASK.ROLE=NAME",
                        help="which column is the problem, the answer, the id: math500.problem=question")  # fmt: skip
    parser.add_argument("--limit", type=int, help="the first so many problems of each task")
    parser.add_argument("--engine", default="transformers", help="transformers, vllm or server (default: %(default)s)")
    parser.add_argument("--template", help="r1, qwen-math, paper or plain (default: r1; plain for countdown)")
    parser.add_argument("--temperature", type=float, help="default: 0.6; 1 for countdown")
    parser.add_argument("--top-p", type=float, help="default: 0.95; 1 for countdown")
    parser.add_argument("--max-new-tokens", type=int, help="default: 32768; 64 for countdown")
    parser.add_argument("--seed", type=int, default=0, help="draws the samples (default: %(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="prompts a batch, or requests in flight to a "
                        "server (default: %(default)s)")  # fmt: skip
    parser.add_argument("--dtype", default="auto", help="of the weights (default: the checkpoint's)")
    parser.add_argument("--revision", help="of a Hub model")
    parser.add_argument("--url", help="of the server, such as http://127.0.0.1:8000/v1")
    parser.add_argument("--key-variable", help="environment variable with the server's API key")
    parser.add_argument("--devices", type=int, help="GPUs at work: what vLLM spreads over, and what is billed")
    parser.add_argument("--context", type=int, help="vLLM: longest prompt and completion together")
    parser.add_argument("--price-per-gpu-hour", type=float, metavar="PRICE", help="prints what it cost")
    parser.add_argument("--no-plot", action="store_true", help="do not draw pass_at_k.svg")
    return parser


def _settings(chosen: Namespace) -> Any:
    from dra_grpo.evaluation.benchmarks import BENCHMARKS
    from dra_grpo.evaluation.eval_settings import EvalSettings
    from dra_grpo.tasks import TASKS

    tasks = tuple(BENCHMARKS[name].name for name in filter(None, chosen.tasks.split(",")))
    model = chosen.model
    if model == "countdown" and chosen.engine != "server" and not Path(model).is_dir():
        model = str(TASKS["countdown"].policy)
    columns: dict[str, dict[str, str]] = {}
    for key, name in _pairs(chosen.column, "--column", "TASK.ROLE=NAME"):
        task, dot, role = key.partition(".")
        if not dot:
            raise UsageError(f"--column got {key}={name}; expected TASK.ROLE=NAME, such as math500.problem=question")
        columns.setdefault(task, {})[role] = name
    return EvalSettings(
        model=model,
        tasks=tasks,
        out=Path(chosen.out or Path("runs/eval") / Path(chosen.model).name),
        engine=chosen.engine,
        samples=_samples(chosen.samples, tasks),
        data={task: Path(path) for task, path in _pairs(chosen.data, "--data", "TASK=PATH")},
        columns=columns,
        limit=chosen.limit,
        template=chosen.template,
        temperature=chosen.temperature,
        top_p=chosen.top_p,
        max_new_tokens=chosen.max_new_tokens,
        seed=chosen.seed,
        batch_size=chosen.batch_size,
        dtype=chosen.dtype,
        revision=chosen.revision,
        url=chosen.url,
        key_variable=chosen.key_variable,
        devices=chosen.devices,
        context=chosen.context,
        price=chosen.price_per_gpu_hour,
    )


def _samples(text: str | None, tasks: tuple[str, ...]) -> dict[str, int] | None:
    """`4,aime24=64` as task -> count."""
    if text is None:
        return None
    counts: dict[str, int] = {}
    everywhere = [part for part in text.split(",") if "=" not in part]
    if len(everywhere) > 1:
        raise UsageError(f"--samples got {text!r}; expected one number, and numbers of single tasks: 4,aime24=64")
    for part in everywhere:
        counts = dict.fromkeys(tasks, _count(part, text))
    for task, number in _pairs([part for part in text.split(",") if "=" in part], "--samples", "TASK=N"):
        counts[task] = _count(number, text)
    return counts


def _count(number: str, text: str) -> int:
    if not number.isdecimal():
        raise UsageError(f"--samples got {text!r}; expected a number such as 16, or 4,aime24=64")
    return int(number)


def _pairs(given: list[str], flag: str, form: str) -> list[tuple[str, str]]:
    pairs = []
    for text in given:
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UsageError(f"{flag} got {text!r}; expected {form}")
        if key in dict(pairs):
            raise UsageError(f"{flag} got {key} twice")
        pairs.append((key, value))
    return pairs


def _show(results: dict[str, Any], out: Path, plot: Path | None) -> None:
    from dra_grpo.analysis.plots import pass_at_k_plot
    from dra_grpo.evaluation.results_table import published_table, remarks, results_table

    print(results_table(results))
    print("\n" + "\n".join(remarks(results)))
    if published := published_table(results):
        print(f"\n{published}")
    drawn = plot and (curves := pass_at_k_plot(results)) and curves.write(plot)
    print(f"\n{out / 'results.json'}" + (f", {drawn}" if drawn else ""))
