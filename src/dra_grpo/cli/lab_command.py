"""`dra-grpo lab list`, `lab run NAME`, `lab report NAME`: experiments on Countdown, where every figure is exact.

`run` trains what is not trained yet and goes on where it was stopped; experiments share their runs. `report` writes
the table and the plot again from the runs that are there."""

from pathlib import Path

from dra_grpo.cli.tables import CommandParser, table
from dra_grpo.errors import UsageError, require


def run(arguments: list[str]) -> None:
    """Run `dra-grpo lab ARGUMENTS`."""
    require("trl", "trl", "dra-grpo lab")
    require("matplotlib", "report", "the experiments' plots")
    from dra_grpo.lab import EXPERIMENTS
    from dra_grpo.lab.experiment import Experiment, Place
    from dra_grpo.lab.outcome import report
    from dra_grpo.registry import Registry, load_path

    experiments = Registry("experiment", "dra_grpo.experiments", EXPERIMENTS)
    parser = CommandParser(prog="dra-grpo lab", description=__doc__)
    parser.add_argument("what", choices=["list", "run", "report"])
    parser.add_argument("name", nargs="?", help="of `dra-grpo lab list`, or your own as package.module:NAME")
    parser.add_argument("--seeds", type=int, help="of the training, 0, 1, … (default: the experiment's)")
    parser.add_argument("--bases", help="pretraining seeds of the base policies, such as 0,1,2; 0 is the packaged one")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/lab"), help="results (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=Path("runs/lab"), help="weights (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.what == "list":
        found: list[Experiment] = [load_path(path) for path in experiments.values()]
        sizes = [len(each.runs(each.seeds, each.bases)) for each in found]
        rows = [[each.name, size, each.question] for each, size in zip(found, sizes, strict=True)]
        print(table(["experiment", "runs", "question"], rows))
        return
    if chosen.name is None:
        raise UsageError(f"`lab {chosen.what}` needs the name of an experiment, one of: {', '.join(experiments)}")
    if chosen.jobs < 1 or (chosen.seeds is not None and chosen.seeds < 1):
        raise UsageError(f"--jobs {chosen.jobs}, --seeds {chosen.seeds}: expected 1 or more")
    experiment: Experiment = load_path(chosen.name if ":" in chosen.name else experiments[chosen.name])
    seeds = chosen.seeds or experiment.seeds
    bases = experiment.bases if chosen.bases is None else _numbers(chosen.bases)
    place = Place(chosen.out, chosen.work)
    if chosen.what == "run":
        place.do(experiment.runs(seeds, bases), experiment.sets, chosen.jobs)
    print("\n".join(report(experiment, place, seeds, bases)))


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise UsageError(f"--bases got {text!r}; expected numbers, such as 0,1,2")
    return tuple(map(int, parts))
