"""`dra-grpo train`: resolve, train, evaluate, report."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dra_grpo.cli.table import table

if TYPE_CHECKING:
    from dra_grpo.lab.settings import Settings

USAGE = """usage: dra-grpo train --config FILE [--name value ...]

Every field of TRL's GRPOConfig and ModelConfig and every setting below, in the YAML or as a flag; the flag wins.
Mappings take dotted flags: --method_options.smi logdet. Under several processes: torchrun -m dra_grpo train ...
"""


def run(arguments: list[str]) -> int:
    """Run `dra-grpo train ARGUMENTS`."""
    if not arguments or "--help" in arguments or "-h" in arguments:
        print(USAGE)
        print(_own_flags())
        return 0
    # What transformers 5 tells TRL about names TRL still uses; nobody who runs this can mend it.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    from dra_grpo.cli.arguments import parse_settings
    from dra_grpo.lab.run import resolved_yaml, train

    settings = parse_settings(arguments)
    if settings.run.dry_run:
        print(resolved_yaml(settings))
        print(_shape(settings))
        return 0
    try:
        figures = train(settings)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with the same command and --resume ({settings.training.output_dir})")
        return 130
    if figures:
        _finish(figures, Path(settings.training.output_dir))
    return 0


def _finish(figures: dict[str, Any], output_dir: Path) -> None:
    """Print what the run came to and write the report."""
    from dra_grpo.analysis.report import write_report

    def cell(entry: dict[str, float]) -> str:
        return f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"

    rows = [
        [name, cell(figures["base"][name]), cell(figures["trained"][name]), cell(figures["difference"][name])]
        for name in figures["trained"]
    ]
    print(
        f"\n{figures['problems']} {figures['split']} problems, exact at temperature 1, 95% bootstrap over problems:\n"
    )
    print(table(["figure", "base", "trained", "trained - base"], rows))
    print(f"\nreport: {write_report(output_dir)}")


def _shape(settings: Settings) -> str:
    """What the settings come to: completions, groups and steps."""
    args: Any = settings.training
    completions = args.generation_batch_size
    optimised = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    optimiser = args.max_steps if args.max_steps > 0 else f"{args.num_train_epochs:g} epochs' worth of"
    rows = [
        ["completions a generation", completions],
        ["groups a generation (B)", completions // args.num_generations],
        ["completions a group (G)", args.num_generations],
        ["completions an optimiser step", optimised],
        ["processes", args.world_size],
        ["optimiser steps", optimiser],
    ]  # fmt: skip
    return table(["resolved", "value"], rows)


def _own_flags() -> str:
    from dataclasses import MISSING, fields

    from dra_grpo.config import DRAConfig, RunConfig

    rows = [
        [f"--{f.name}", "" if f.default is MISSING else f.default, f.metadata["help"]]
        for kind in (RunConfig, DRAConfig)
        for f in fields(kind)
    ]
    return table(["flag", "default", "meaning"], rows)
