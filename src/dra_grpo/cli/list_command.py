"""`dra-grpo list WHAT`: what can be chosen by name, with what each needs and where it comes from."""

import inspect

from dra_grpo.cli.tables import CommandParser, table
from dra_grpo.embedders import EMBEDDERS
from dra_grpo.methods import METHODS
from dra_grpo.rewards import REWARDS
from dra_grpo.tasks import TASKS
from dra_grpo.training.recipe_file import RECIPES


def run(arguments: list[str]) -> None:
    """Run `dra-grpo list ARGUMENTS`."""
    listings = {each.__name__: each for each in (methods, embedders, tasks, rewards, recipes)}
    parser = CommandParser(prog="dra-grpo list", description=__doc__)
    parser.add_argument("what", choices=listings)
    print(table(*listings[parser.parse_args(arguments).what]()))


def methods() -> tuple[list[str], list[list[str]]]:
    """Every method with its stage, needs and source."""
    found = [METHODS[name] for name in METHODS.names()]
    rows = [[each.name, each.stage, ", ".join(each.needs()) or "-", _line(each), each.source] for each in found]
    return ["method", "stage", "needs", "what it does", "source"], rows


def embedders() -> tuple[list[str], list[list[str]]]:
    """Every embedder with what it is."""
    return ["embedder", "what it is"], [[name, _line(EMBEDDERS[name])] for name in EMBEDDERS.names()]


def tasks() -> tuple[list[str], list[list[str]]]:
    """Every task with its rewards."""
    return ["task", "rewards", "what it is"], [[t.name, ", ".join(t.rewards), t.summary] for t in TASKS.values()]


def rewards() -> tuple[list[str], list[list[str]]]:
    """Every reward function."""
    return ["reward", "what it gives"], [[name, _line(REWARDS[name])] for name in REWARDS.names()]


def recipes() -> tuple[list[str], list[list[str]]]:
    """The packaged recipes, each with its first line; `--config` takes their names."""
    files = {file.relative_to(RECIPES).with_suffix("").as_posix(): file for file in sorted(RECIPES.rglob("*.yaml"))}
    first_lines = {name: file.read_text(encoding="utf-8").partition("\n")[0] for name, file in files.items()}
    return ["recipe", "what it runs"], [[name, line.lstrip("# ")] for name, line in first_lines.items()]


def _line(thing: object) -> str:
    return getattr(thing, "summary", None) or (inspect.getdoc(thing) or "").partition("\n")[0]
