"""`dra-grpo list WHAT`: what can be chosen by name, with what each needs and where it comes from."""

from __future__ import annotations

import inspect

from dra_grpo.cli.parser import CommandParser
from dra_grpo.cli.tables import table


def run(arguments: list[str]) -> int:
    """Run `dra-grpo list ARGUMENTS`."""
    listings = {each.__name__: each for each in (methods, embedders, tasks, rewards, recipes)}
    parser = CommandParser(prog="dra-grpo list", description=__doc__)
    parser.add_argument("what", choices=listings)
    print(listings[parser.parse_args(arguments).what]())
    return 0


def methods() -> str:
    """Every method with its stage, needs and source."""
    from dra_grpo.methods import METHODS

    found = [METHODS[name] for name in METHODS.names()]
    rows = [[each.name, each.stage, ", ".join(each.needs()) or "-", _line(each), each.source] for each in found]
    return table(["method", "stage", "needs", "what it does", "source"], rows)


def embedders() -> str:
    """Every embedder with what it is."""
    from dra_grpo.embedders import EMBEDDERS

    return table(["embedder", "what it is"], [[name, _line(EMBEDDERS[name])] for name in EMBEDDERS.names()])


def tasks() -> str:
    """Every task with its rewards."""
    from dra_grpo.tasks import TASKS

    rows = [[task.name, ", ".join(task.rewards), task.summary] for task in TASKS.values()]
    return table(["task", "rewards", "what it is"], rows)


def rewards() -> str:
    """Every reward function."""
    from dra_grpo.rewards import REWARDS

    return table(["reward", "what it gives"], [[name, _line(REWARDS[name])] for name in REWARDS.names()])


def recipes() -> str:
    """The packaged recipes, each with its first line; `--config` takes their names."""
    from dra_grpo.training.recipe_file import RECIPES

    rows = []
    for file in sorted(RECIPES.rglob("*.yaml")):
        title = file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        rows.append([file.relative_to(RECIPES).with_suffix("").as_posix(), title])
    return table(["recipe", "what it runs"], rows)


def _line(thing: object) -> str:
    return getattr(thing, "summary", None) or (inspect.getdoc(thing) or "").partition("\n")[0]
