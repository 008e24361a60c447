"""A run's YAML and the files it extends, merged into one mapping."""

import json
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dra_grpo.config import RENAMED, DRAConfig, RunConfig
from dra_grpo.errors import UsageError, one_line

RECIPES = Path(__file__).parents[1] / "recipes"
"""The recipes in the wheel."""

OPTIONS_OF = {
    "method": ("method_options", DRAConfig.method),
    "embedder": ("embedder_options", DRAConfig.embedder),
    "task": ("task_options", RunConfig.task),
    "lr_scheduler_type": ("lr_scheduler_kwargs", "linear"),
}
"""choice -> the setting that holds its options, and what it is where no file says. Another choice does not take over
the options of the one before."""

HELD = "\ue000{"
"""What stands for `${` while OmegaConf has a text, which would take it for the start of an interpolation."""


def read_recipe(path: str | Path, names: Collection[str], extended_by: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The settings of a YAML file, over those of the one that its `extends` names: a path seen from it, or packaged.

    Args:
        path: the file, or the name of a packaged recipe.
        names: the settings there are.
        extended_by: the files that led here.

    Raises:
        UsageError: a file that is not there or no YAML mapping, an unknown key, or files that extend each other.
    """
    file = recipe_path(path, extended_by[-1].parent if extended_by else Path()).resolve()
    if file in extended_by:
        circle = " -> ".join(each.name for each in (*extended_by[extended_by.index(file) :], file))
        raise UsageError(f"{path} extends itself ({circle}); a recipe may extend one that does not extend it")
    because = f", which {extended_by[-1].name} extends," if extended_by else ""
    try:
        values = yaml_value(file.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        hint = "give a file, or a name of `dra-grpo list recipes`"
        raise UsageError(f"config file {str(path)!r}{because} cannot be read: {error}; {hint}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} must be a YAML mapping of settings, `key: value` a line; got {values!r:.80}")
    base = values.pop("extends", None)
    refuse_unknown(values, {*names, "extends"}, f"{path}: unknown key")
    if not isinstance(base, str | None):
        raise UsageError(f"{path}: extends is {base!r:.80}; expected one file, or one name of `dra-grpo list recipes`")
    return values if base is None else layered(read_recipe(base, names, (*extended_by, file)), values)


def recipe_path(given: str | Path, folder: Path = Path()) -> Path:
    """`given` where it is a file, seen from `folder`; else the packaged recipe of that name: `paper/dra-grpo`."""
    packaged = RECIPES / f"{str(given).removeprefix('recipes/').removesuffix('.yaml')}.yaml"
    return packaged if not (folder / given).is_file() and packaged.is_file() else folder / given


def layered(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`: mappings are merged key by key; options go when `above` makes another choice.

    >>> layered({"method": "dra", "method_options": {"smi": "logdet"}, "seed": 1}, {"method": "none"})
    {'method': 'none', 'seed': 1}
    >>> layered({"method": "dra", "method_options": {"smi": "logdet"}}, {"method_options": {"jitter": 0.1}})
    {'method': 'dra', 'method_options': {'smi': 'logdet', 'jitter': 0.1}}
    """
    kept = dict(below)
    for name, (options, unsaid) in OPTIONS_OF.items():
        before = below.get(name, unsaid)
        if str(above.get(name, before)).replace("_", "-") != str(before).replace("_", "-"):
            kept.pop(options, None)
    return merged(kept, above)


def merged(below: Any, above: Any) -> Any:
    """`above`; where both are mappings, key by key over `below`.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


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


def yaml_value(text: str, source: str) -> Any:
    """The value of a YAML text as OmegaConf reads it: 1e-3 is a number, and a key that is there twice is an error.

    Args:
        text: the YAML.
        source: what it is called where it is no YAML: a file, or a flag.

    Raises:
        UsageError: the text is no YAML, or a mapping has a key twice.

    >>> yaml_value("{jitter: 1e-3, clamp: no, text: 'a ${b}'}", "--method_options")
    {'jitter': 0.001, 'clamp': False, 'text': 'a ${b}'}
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        read = OmegaConf.from_dotlist([f"value={text.replace('${', HELD)}"])
    except (YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise UsageError(f"{source} is not YAML: {one_line(error)}") from error
    return exchanged(OmegaConf.to_container(read), HELD, "${")["value"]


def exchanged(value: Any, old: str, new: str) -> Any:
    """Plain data with another text in place of `old` in every text and key; what JSON lacks comes back as text."""
    return json.loads(json.dumps(value, default=str, ensure_ascii=False).replace(old, new))
