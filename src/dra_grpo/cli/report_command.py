"""`dra-grpo report RUN_DIR`: the page again, from what a run left behind."""

from dra_grpo.analysis.report import write_picture, write_report
from dra_grpo.cli.tables import CommandParser


def run(arguments: list[str]) -> None:
    """Run `dra-grpo report ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo report", description=__doc__)
    parser.add_argument("run", help="a directory that `dra-grpo train` wrote")
    beside = "runs to show beside it; without one, plain GRPO from the package where the recipe is the same"
    parser.add_argument("--against", nargs="+", default=[], metavar="RUN", help=beside)
    parser.add_argument("--picture", metavar="FILE", help="also write pass@1 against pass@16 and variety to this file")
    chosen = parser.parse_args(arguments)
    print(write_report(chosen.run, chosen.against))
    if chosen.picture:
        print(write_picture([chosen.run, *chosen.against], chosen.picture))
