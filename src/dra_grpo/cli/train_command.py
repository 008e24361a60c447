"""`dra-grpo train`: resolve, train, evaluate, report."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dra_grpo.cli.tables import table

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings


def run(arguments: list[str]) -> int:
    """Run `dra-grpo train ARGUMENTS`."""
    if not arguments or "--help" in arguments or "-h" in arguments:
        from dra_grpo.cli.train_help import train_help

        print(train_help())
        return 0
    # What transformers 5 tells TRL about names TRL still uses; nobody who runs this can mend it.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    from dra_grpo.training.run import train
    from dra_grpo.training.settings import parse_settings

    settings = parse_settings(arguments)
    _print_changes(settings)
    if settings.run.dry_run:
        _print_plan(settings)
        return 0
    try:
        figures = train(settings)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with the same command and --resume ({settings.training.output_dir})")
        return 130
    from accelerate import PartialState

    PartialState().destroy_process_group()  # gloo's threads abort a process that ends with them, now and then
    if figures:
        _finish(figures, Path(str(settings.training.output_dir)))
    return 0


def _finish(figures: dict[str, Any], output_dir: Path) -> None:
    """Print what the run came to and write the report."""
    from dra_grpo.analysis.report import write_report
    from dra_grpo.cost import cost_line

    def cell(entry: dict[str, float]) -> str:
        return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"

    if "trained" in figures:
        rows = [
            [name, cell(figures["base"][name]), cell(figures["trained"][name]), cell(figures["difference"][name])]
            for name in figures["trained"]
        ]
        print(
            f"\n{figures['problems']} {figures['split']} problems, exact at temperature 1, "
            "95% intervals over problems:\n"
        )
        print(table(["figure", "base", "trained", "trained - base"], rows))
    print(f"\ncost: {cost_line(figures['cost'])}")
    print(f"report: {write_report(output_dir)}")


def _print_changes(settings: Settings) -> None:
    """What was given and has no effect, and what a CPU changes in a recipe that is made for GPUs."""
    from dra_grpo.training.directory import is_main_process, note

    for line in settings.without_effect():
        note(line)
    if settings.forced and is_main_process():
        print("on this CPU, the recipe's settings become:\n")
        print(
            table(
                ["setting", "recipe", "here", "why"], [(n, _brief(v), now, why) for n, v, now, why in settings.forced]
            )
        )
        print()


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:21] + "..."


def _print_plan(settings: Settings) -> None:
    """What the run comes to and what it will hold in memory, as far as the model's size is known here."""
    from dra_grpo.training.budget import batch_rows, rehearse
    from dra_grpo.training.memory import GIB, estimate, gib, model_shape
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
    print(f"\npeak about {gib(needs.peak)} with every row at its longest: added up, not measured")
    if needs.share:
        rest = "which it gives back while the policy trains" if needs.sleeps else "kept all the time"
        print(f"vLLM takes {needs.share:.0%} of the card beside that, {rest}: a card of {gib(needs.card)} or more")
