"""A run's YAML and the files it extends, merged into one mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dra_grpo.config import RENAMED, DRAConfig, RunConfig
from dra_grpo.errors import UsageError

RECIPES = Path(__file__).parents[1] / "recipes"
"""The recipes in the wheel."""

OPTIONS_OF = {
    "method": "method_options",
    "embedder": "embedder_options",
    "task": "task_options",
    "lr_scheduler_type": "lr_scheduler_kwargs",
}
"""choice -> its options, which do not outlive it: whoever chooses anew starts without."""

UNSAID = {
    **{f.name: f.default for kind in (RunConfig, DRAConfig) for f in fields(kind) if f.name in OPTIONS_OF},
    "lr_scheduler_type": "linear",
}
"""choice -> what it is where no file says."""


def read_recipe(path: str | Path, names: Collection[str], extended_by: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a YAML file, over those of the file that its `extends` names, relative to it.

    Args:
        path: the file.
        names: the settings there are.
        extended_by: the files that led here.

    Raises:
        UsageError: a file that is not there or no YAML mapping, an unknown key, or files that extend each other.
    """
    path = recipe_path(path) if path and not extended_by else path
    file = Path(path).resolve()
    if file in extended_by:
        circle = " -> ".join(each.name for each in (*extended_by[extended_by.index(file) :], file))
        raise UsageError(f"{path} extends itself ({circle}); a recipe may extend one that does not extend it")
    values = _read_yaml(path, extended_by)
    base = values.pop("extends", None)
    refuse_unknown(values, {*names, "extends"}, f"{path}: unknown key")
    if base is None:
        return values
    if not isinstance(base, str):
        raise UsageError(f"{path}: extends is {base!r}; expected the path of one recipe, relative to this one")
    return layered(read_recipe(Path(path).parent / base, names, (*extended_by, file)), values)


def recipe_path(given: str | Path) -> Path:
    """`given` where it is a file; else the packaged recipe of that name: `countdown`, `paper/dra-grpo`."""
    packaged = RECIPES / f"{str(given).removeprefix('recipes/').removesuffix('.yaml')}.yaml"
    return packaged if not Path(given).exists() and packaged.is_file() else Path(given)


def layered(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`: mappings are merged key by key, and options go when their choice is another one.

    >>> layered({"method": "dra", "method_options": {"smi": "logdet"}, "seed": 1}, {"method": "none"})
    {'method': 'none', 'seed': 1}
    >>> layered({"method": "dra", "method_options": {"smi": "logdet"}}, {"method_options": {"jitter": 0.1}})
    {'method': 'dra', 'method_options': {'smi': 'logdet', 'jitter': 0.1}}
    """
    dropped = {
        options
        for choice, options in OPTIONS_OF.items()
        if choice in above and _spelling(above[choice]) != _spelling(below.get(choice, UNSAID[choice]))
    }
    merged = {name: value for name, value in below.items() if name not in dropped}
    for name, value in above.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            value = layered(merged[name], value)
        merged[name] = value
    return merged


def _spelling(choice: Any) -> str:
    return str(choice).replace("_", "-")


def refuse_unknown(keys: Iterable[Any], names: Collection[str], what: str) -> None:
    """Raise UsageError for the first key that is no setting, with the nearest one.

    >>> refuse_unknown(["lerning_rate"], ["learning_rate"], "run.yaml: unknown key")
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: run.yaml: unknown key 'lerning_rate'; did you mean 'learning_rate'?
    """
    for key in keys:
        if key not in names:
            near = [RENAMED[key]] if key in RENAMED else get_close_matches(str(key), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `dra-grpo train --help`"
            raise UsageError(f"{what} {key!r}; {hint}")


def _read_yaml(path: str | Path, extended_by: tuple[Path, ...]) -> dict[str, Any]:
    from yaml import YAMLError

    from dra_grpo.training.yaml_values import yaml_value

    try:
        values = yaml_value(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        because = f", which {extended_by[-1].name} extends," if extended_by else ""
        raise UsageError(
            f"config file {str(path)!r}{because} cannot be read: {error.strerror}; check the path"
        ) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UsageError(
            f"{path} must be a YAML mapping of settings, `key: value` a line; got {type(values).__name__}"
        )
    return values
