"""`dra-grpo train`: resolve, train, evaluate, report."""

import warnings
from math import ceil
from textwrap import shorten
from typing import Any

from dra_grpo.analysis.report import write_report
from dra_grpo.cli.tables import table
from dra_grpo.cli.train_help import train_help
from dra_grpo.cost import cost_line
from dra_grpo.evaluation.one_rule import verdict
from dra_grpo.training.budget import batch_rows, rehearse
from dra_grpo.training.directory import is_main_process
from dra_grpo.training.memory import GIB, estimate, model_shape
from dra_grpo.training.model_card import best_line, result_rows, title
from dra_grpo.training.settings import Settings, parse_settings

BEST = """What the lab found better at one sample and at sixteen (docs/results.md):
  dra-grpo train --config countdown-maxrl-dra
  dra-grpo merge countdown runs/countdown-maxrl-dra --weight .4 --out runs/countdown-merged"""
"""What a run of DRA or of plain GRPO on Countdown is followed by."""


def run(arguments: list[str]) -> int:
    """Run `dra-grpo train ARGUMENTS`."""
    # What transformers 5 tells TRL about names TRL still uses; nobody who runs this can mend it.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(train_help())
        return 0
    settings = parse_settings(arguments)
    from dra_grpo.training.run import train

    if is_main_process():
        _print_changes(settings)
    if settings.run.dry_run:
        _print_plan(settings)
        return 0
    output_dir = str(settings.training.output_dir)
    try:
        results = train(settings)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with the same command and --resume ({output_dir})")
        return 130
    from accelerate import PartialState

    PartialState().destroy_process_group()  # gloo's threads abort a process that ends with them, now and then
    if results:
        _print_results(results)
        print(f"report: {write_report(output_dir)}")
    return 0


def _print_results(results: dict[str, Any]) -> None:
    """What the run came to."""
    if "best" in results:
        print(f"\nThe trained policy's weights are {best_line(results['best'])}")
    if "trained" in results:
        rows = table(["result", "base", "trained", "trained - base"], result_rows(results))
        print(f"\n{title(results)}\n\n{rows}\n\n{verdict(results)}")
    if results.get("task") == "countdown" and results["method"] in ("dra", "none"):
        print(f"\n{BEST}")
    print(f"\ncost: {cost_line(results['cost'])}")


def _print_changes(settings: Settings) -> None:
    """What was given and has no effect, and what a CPU changes in a recipe that is made for GPUs."""
    for line in settings.without_effect():
        print(f"note: {line}")
    if settings.forced:
        rows = [(name, shorten(str(was), 24, placeholder="..."), now, why) for name, was, now, why in settings.forced]
        changed = table(["setting", "recipe", "here", "why"], rows)
        print(f"on this CPU, the recipe's settings become:\n\n{changed}\n")


def _print_plan(settings: Settings) -> None:
    """What the run comes to and what it will hold in memory, as far as the model's size is known here."""
    from dra_grpo.training.run import model_path, resolved_yaml

    rehearse(settings)
    batch, model = batch_rows(settings), model_path(settings)
    print(f"{resolved_yaml(settings)}\n{table(['the run', ''], batch)}\n")
    shape = model_shape(model)
    if shape is None:
        print(f"memory: the size of {model!r} is not known here; a local model folder tells it")
        return
    needs = estimate(settings, shape)
    where = "process" if settings.training.use_cpu else "training GPU"
    rows = [(part.name, f"{part.bytes / GIB:.1f}", part.when) for part in needs.parts]
    print(table([f"memory a {where}", "GiB", "when"], rows))
    peak, card = (f"{ceil(size / GIB)} GiB" for size in (needs.peak, needs.card))
    print(f"\npeak about {peak} with every row at its longest, a card of {card} or more: added up, not measured")
