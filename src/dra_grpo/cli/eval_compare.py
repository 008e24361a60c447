"""`dra-grpo eval compare A B`: is the difference between two evaluations more than chance, and what would show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dra_grpo.cli.parser import CommandParser


def run(arguments: list[str]) -> int:
    """Run `dra-grpo eval compare ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo eval compare", description=__doc__)
    parser.add_argument("first", help="folder of an evaluation, or its results.json")
    parser.add_argument("second", help="the one to compare with it; differences are second minus first")
    parser.add_argument("--metric", default="avg", help="avg, pass@K, distinct, truncated, tokens, or exact_pass@1 "
                        "and the like (default: %(default)s)")  # fmt: skip
    parser.add_argument("--detect", type=float, metavar="POINTS", help="also say how many samples or problems it "
                        "takes to see a difference of this size, with 80%% power at the 5%% level")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="also write the comparison to this file")
    chosen = parser.parse_args(arguments)
    from dra_grpo.evaluation.comparison import compare, load_results
    from dra_grpo.evaluation.comparison_table import comparison_table, detection_table
    from dra_grpo.files import write_json

    size = None if chosen.detect is None else chosen.detect / 100
    comparison: dict[str, Any] = compare(load_results(chosen.first), load_results(chosen.second), chosen.metric, size)
    print(comparison_table(comparison))
    if size is not None:
        print(f"\n{detection_table(comparison)}")
    if chosen.json:
        write_json(Path(chosen.json), comparison)
    return 0
