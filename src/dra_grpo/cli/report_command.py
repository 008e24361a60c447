"""`dra-grpo report RUN_DIR`: the page again, from what a run left behind."""

from __future__ import annotations

from dra_grpo.analysis.report import write_picture, write_report
from dra_grpo.cli.parser import CommandParser


def run(arguments: list[str]) -> int:
    """Run `dra-grpo report ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo report", description=__doc__)
    parser.add_argument("run", help="a directory that `dra-grpo train` wrote")
    parser.add_argument("--against", nargs="+", default=[], metavar="RUN", help="runs to draw beside it")
    parser.add_argument("--picture", metavar="SVG", help="also write the picture of the evaluations to this file")
    chosen = parser.parse_args(arguments)
    print(write_report(chosen.run, chosen.against))
    if chosen.picture:
        print(write_picture([chosen.run, *chosen.against], chosen.picture))
    return 0
