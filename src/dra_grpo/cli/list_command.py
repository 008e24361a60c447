"""`dra-grpo list WHAT`: what can be chosen by name, with what each needs and where it comes from."""

from __future__ import annotations

import inspect

from dra_grpo.cli.tables import table
from dra_grpo.errors import UsageError


def run(arguments: list[str]) -> int:
    """Run `dra-grpo list ARGUMENTS`."""
    listings = {
        "methods": methods,
        "embedders": embedders,
        "tasks": tasks,
        "rewards": rewards,
        "recipes": recipes,
    }
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        if arguments and arguments[0] in ("-h", "--help"):
            print(f"usage: dra-grpo list {'|'.join(listings)}")
            return 0
        raise UsageError(f"dra-grpo list takes one of: {', '.join(listings)}")
    if arguments[0] not in listings:
        raise UsageError(f"cannot list {arguments[0]!r}; expected one of: {', '.join(listings)}")
    print(listings[arguments[0]]())
    return 0


def methods() -> str:
    """Every method with its stage, needs and source."""
    from dra_grpo.methods import METHODS

    rows = []
    for name in METHODS.names():
        method = METHODS[name]
        rows.append([name, method.stage, ", ".join(method.needs()) or "-", method.source, _line(method)])
    return table(["method", "stage", "needs", "source", "what it does"], rows)


def embedders() -> str:
    """Every embedder with what it is."""
    from dra_grpo.embedders import EMBEDDERS

    return table(["embedder", "what it is"], [[name, _line(EMBEDDERS[name])] for name in EMBEDDERS.names()])


def tasks() -> str:
    """Every task with its rewards."""
    from dra_grpo.tasks import TASKS

    return table(
        ["task", "rewards", "what it is"], [[t.name, ", ".join(t.rewards), t.summary] for t in TASKS.values()]
    )


def rewards() -> str:
    """Every reward function."""
    from dra_grpo.rewards import REWARDS

    return table(["reward", "what it gives"], [[name, _line(REWARDS[name])] for name in REWARDS.names()])


def recipes() -> str:
    """The packaged recipes, each with its first line; `--config` takes their names."""
    from dra_grpo.training.recipe_file import RECIPES

    rows = [
        [
            file.relative_to(RECIPES).with_suffix("").as_posix(),
            file.read_text(encoding="utf-8").partition("\n")[0].lstrip("# "),
        ]
        for file in sorted(RECIPES.rglob("*.yaml"))
    ]
    return table(["recipe", "what it runs"], rows)


def _line(thing: object) -> str:
    return getattr(thing, "summary", None) or (inspect.getdoc(thing) or "").partition("\n")[0]
