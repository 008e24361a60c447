"""What each setting may hold: its type, its least value, its choices, whether it is read, what a CPU changes in it."""

import math
from collections.abc import Collection
from dataclasses import MISSING, field, fields, make_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml

from dra_grpo.errors import UsageError, nearest
from dra_grpo.training.directory import launched_processes
from dra_grpo.training.recipe_file import HELD, exchanged

TABLES: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
"""What each field may be, which are not read, and which are changed on a CPU; the file explains its tables."""


def field_types(*kinds: Any) -> dict[str, Any]:
    """Every field of the dataclasses -> its type; what may be any object in Python is a name here."""
    hints = {f.name: get_type_hints(kind)[f.name] for kind in kinds for f in fields(kind) if f.init}
    return {name: str if hint is Any else hint for name, hint in hints.items()}


def default(one: Any) -> Any:
    """The default of a dataclass's field."""
    return one.default if one.default_factory is MISSING else one.default_factory()


def members(hint: Any) -> list[Any]:
    """The types that a hint allows, without their arguments.

    >>> members(dict[str, int] | None)
    [<class 'dict'>, <class 'NoneType'>]
    """
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else [hint]
    return [get_origin(each) or each for each in alternatives]


def type_name(hint: Any) -> str:
    """A field's type in words.

    >>> type_name(int | None), type_name(str | list[str]), type_name(dict[str, Any])
    ('int', 'str or list', 'mapping')
    """
    plain = [kind for kind in members(hint) if kind in (bool, int, float, str, list, dict)]
    return " or ".join("mapping" if kind is dict else kind.__name__ for kind in plain)


def fitted(name: str, value: Any, hint: Any) -> Any:
    """The value, converted to its field's type: 1 is a float where one is wanted, and one item is a list of one.

    Raises:
        UsageError: it does not fit.

    >>> fitted("learning_rate", "1e-4", float), fitted("reward_funcs", "format", list[str])
    (0.0001, ['format'])
    >>> fitted("seed", [1, 2], int)
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: seed is [1, 2]; expected int
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    kinds = members(hint)
    words = [word.value for kind in kinds if isinstance(kind, type) and issubclass(kind, Enum) for word in kind]
    if words and isinstance(value, bool):
        value = "yes" if value else "no"  # YAML takes `save_strategy: no` for a bool
    if words and value not in words:
        raise UsageError(f"{name} is {value!r}; {nearest(value, words)}")
    if value is None and NoneType not in kinds and dict in kinds:
        value = {}  # every line of the mapping is commented out
    elif list in kinds and str not in kinds and not isinstance(value, list | dict | None):
        value = [value]
    schema = OmegaConf.structured(make_dataclass("Setting", [(name, hint, field(default="???"))]))
    try:
        checked = OmegaConf.merge(schema, exchanged({name: value}, "${", HELD))
    except OmegaConfBaseException as error:
        found = "null" if value is None else f"{value!r:.80}"
        hint = type_name(hint) + (", or no line for the default" if value is None else "")
        raise UsageError(f"{name} is {found}; expected {hint}") from error
    return exchanged(OmegaConf.to_container(checked), HELD, "${")[name]


def check_values(values: dict[str, Any], defaults: dict[str, Any]) -> None:
    """Raise UsageError for a value that no run can have, or that nothing would read.

    TRL takes the first without a word and fails later: when the model is loaded, or after the first generation.

    >>> check_values({"loss_type": "grop"}, {})
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: loss_type is 'grop'; expected grpo, dr_grpo, dapo, bnpo, cispo, sapo, luspo or vespo
    >>> check_values({"data_seed": 1}, {"data_seed": None})
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: data_seed is 1, which is not read here: TRL draws the order of the problems by `seed`
    """
    for name, instead in TABLES["unread"].items():
        if name in values and values[name] != defaults[name]:
            raise UsageError(f"{name} is {values[name]!r}, which is not read here: {instead}")
    for name, choices in TABLES["choices"].items():
        if name in values and values[name] not in choices:
            raise UsageError(f"{name} is {values[name]!r}; expected {', '.join(choices[:-1])} or {choices[-1]}")
    for name, least in TABLES["least"].items():
        value = values.get(name)
        if value is not None and not least <= value < math.inf:
            raise UsageError(f"{name} is {value}; expected at least {least}")
    if values.get("max_steps") == 0:
        raise UsageError("max_steps is 0; expected at least 1, or -1 to train for num_train_epochs")


def force_cpu(settings: dict[str, Any], flags: Collection[str]) -> list[tuple[str, Any, Any, str]]:
    """Change in place what a recipe for GPUs asks for and a CPU cannot do; flags given by hand stay.

    The processes that are missing are made up for by gradient accumulation, where their number divides that asked for:
    a step has as many completions as before.

    Args:
        settings: every setting by name.
        flags: the settings given on the command line.

    Returns:
        (setting, value before, value now, why), in order.
    """
    if settings["bf16"] is None:
        settings["bf16"] = not settings["fp16"]  # TRL's default, said so that it is seen and changed like the rest
    changes = {name: change for name, change in TABLES["on_cpu"].items() if name not in flags and settings[name]}
    if "flash" not in str(settings["attn_implementation"]):
        changes.pop("attn_implementation", None)
    here, wanted = launched_processes(), settings["processes"]
    if wanted and wanted % here == 0 and "processes" not in flags:
        changes["processes"] = here, "processes launched here"
        accumulated = settings["gradient_accumulation_steps"] * (wanted // here)
        changes["gradient_accumulation_steps"] = accumulated, "a step keeps its completions"
    forced = [(name, settings[name], now, why) for name, (now, why) in changes.items() if settings[name] != now]
    settings.update({name: now for name, _, now, _ in forced})
    return forced
