"""`dra-grpo pretrain countdown`: make the built-in base policy again from nothing."""

from pathlib import Path

from dra_grpo.cli.tables import CommandParser, table
from dra_grpo.errors import UsageError


def run(arguments: list[str]) -> None:
    """Run `dra-grpo pretrain ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo pretrain", description=__doc__)
    parser.add_argument("task", choices=["countdown"])
    parser.add_argument("--out", default="runs/countdown-base", help="folder to write (default: %(default)s)")
    parser.add_argument("--steps", type=int, help="optimiser steps (default: those of the shipped policy)")
    parser.add_argument("--size", type=int, default=3, help="numbers in a problem, 3 or 4 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="draws weights and batches (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    from dra_grpo.lab.countdown_policy import pretrain

    if Path(chosen.out).exists() and any(Path(chosen.out).iterdir()):
        raise UsageError(f"{chosen.out} is not empty; choose another folder with --out, or remove it")
    steps = {"steps": chosen.steps} if chosen.steps else {}
    record = pretrain(chosen.out, **steps, size=chosen.size, seed=chosen.seed)
    rows = [
        [split, name, f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]"]
        for split, results in record["results"].items()
        for name, entry in results.items()
    ]
    print(table(["split", "result", "value"], rows))
    print(f"\n{chosen.out}: {record['seconds']:.0f} s")
