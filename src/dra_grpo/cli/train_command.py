"""`dra-grpo train`: resolve, train, evaluate, report."""

from __future__ import annotations

import inspect
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dra_grpo.cli.tables import table

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings

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
    from dra_grpo.training.run import resolved_yaml, train
    from dra_grpo.training.settings import parse_settings

    settings = parse_settings(arguments)
    _print_forced(settings)
    if settings.run.dry_run:
        from dra_grpo.training.plan import plan

        print(resolved_yaml(settings))
        print(plan(settings))
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


def _print_forced(settings: Settings) -> None:
    """What a CPU changes in a recipe that is made for GPUs."""
    from dra_grpo.training.directory import is_main_process

    if not is_main_process():
        return
    for line in settings.without_effect():
        print(f"note: {line}")
    if settings.forced:
        print("on this CPU, the recipe's settings become:\n")
        print(
            table(
                ["setting", "recipe", "here", "why"], [[n, _brief(v), _brief(w), y] for n, v, w, y in settings.forced]
            )
        )
        print()


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:21] + "..."


def meanings(kind: type) -> dict[str, str]:
    """Every field of a dataclass -> what its docstring says of it under `Attributes:`.

    >>> from dra_grpo.config import DatasetConfig
    >>> meanings(DatasetConfig)["subset"]
    'that many problems, drawn by `subset_seed`; None: all.'
    """
    _, _, attributes = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes.partition("\n\n")[0], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _own_flags() -> str:
    from dataclasses import MISSING, fields

    from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig

    rows = [
        [f"--{f.name}", "" if f.default is MISSING else f.default, meanings(kind)[f.name]]
        for kind in (RunConfig, DRAConfig, DatasetConfig)
        for f in fields(kind)
    ]
    return table(["flag", "default", "meaning"], rows)
