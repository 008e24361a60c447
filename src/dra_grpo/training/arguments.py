"""YAML and command line to dataclasses: every TRL field and ours, unknown keys refused with the nearest name."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from dataclasses import MISSING, fields
from itertools import pairwise
from typing import Any, get_args, get_origin, get_type_hints

from dra_grpo.cli.parser import CommandParser
from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
from dra_grpo.errors import UsageError, require
from dra_grpo.tasks.data import parse_columns
from dra_grpo.training.directory import launched_processes
from dra_grpo.training.hardware import check_processes, force_cpu, planned
from dra_grpo.training.limits import check_limits
from dra_grpo.training.recipe_file import OPTIONS_OF, layered, read_recipe, refuse_unknown
from dra_grpo.training.settings import Settings

OURS = (RunConfig, DRAConfig, DatasetConfig)
MAPPINGS = {f.name for kind in OURS for f in fields(kind) if f.default_factory is dict}
"""Our settings that are mappings."""


def parse_settings(arguments: list[str]) -> Settings:
    """Resolve `--config FILE` and flags; a flag wins over the file, the file over the one it extends.

    Args:
        arguments: what follows `dra-grpo train`. Mappings take dotted flags: `--method_options.smi logdet`.

    Raises:
        UsageError: a file that is not there or no YAML mapping, an unknown key, or a value that does not fit.
    """
    require("trl", "trl", "dra-grpo train")
    from transformers import HfArgumentParser
    from trl import GRPOConfig, ModelConfig

    class Parser(CommandParser, HfArgumentParser):
        pass

    kinds: Any = (*OURS, ModelConfig, GRPOConfig)
    parser = Parser(kinds, prog="dra-grpo train", allow_abbrev=False)
    for action in parser._actions:
        if action.dest in MAPPINGS:
            action.type = _columns if action.dest == "columns" else _json_mapping
    names = {f.name for kind in kinds for f in fields(kind)}
    config, flags = _split_config(arguments)
    values = {} if config is None else read_recipe(config, names)
    flags, dotted = _split_dotted(flags)
    refuse_unknown(dotted, names, "unknown option")
    values = layered(values, {**_choices(flags), **dotted})
    # As flags, so that one parser converts and checks every value; None and [] have no flag and are set as they are.
    values = {name: {} if value is None and name in MAPPINGS else value for name, value in values.items()}
    as_they_are = {k: v for k, v in values.items() if v is None or (v == [] and k not in MAPPINGS)}
    _check_empty(as_they_are, kinds)
    parser.set_defaults(**as_they_are)
    by_hand = {token.partition("=")[0].lstrip("-").replace("-", "_") for token in flags if token.startswith("--")}
    flags = [token for k, v in values.items() if k not in as_they_are for token in _flag(k, v)] + flags
    known_flags = {name for action in parser._actions for name in action.option_strings}
    for token in flags:
        if token.startswith("--") and token.partition("=")[0] not in known_flags:
            refuse_unknown([token.partition("=")[0][2:].replace("-", "_")], names, "unknown option")
    try:
        chosen, rest = parser.parse_known_args(flags)
        if rest:
            raise UsageError(f"unexpected argument {rest[0]!r}; options are --name value")
        for name in dotted.keys() & by_hand & MAPPINGS:  # the whole mapping came last; its single keys were meant too
            setattr(chosen, name, layered(getattr(chosen, name), dotted[name]))
        check_limits(chosen)
        forced = force_cpu(chosen, by_hand) if chosen.use_cpu else []
        run, dra, dataset, model = (_build(kind, chosen) for kind in kinds[:-1])
        if not run.dry_run:
            check_processes(run.processes)
        training = _plan(GRPOConfig, chosen) if run.dry_run else _build(GRPOConfig, chosen)
    except (ValueError, TypeError, ImportError) as error:
        if "need to assign use_cpu" in str(error):
            raise UsageError(
                "no GPU that can do bf16 is seen here; --use_cpu runs it on the CPU, --dry-run shows what it would be"
            ) from error
        raise UsageError(" ".join(str(error).split())) from error
    given = by_hand | set(values) | {name for name, *_ in forced}
    return Settings(run, dra, model, training, given, dataset, forced)


def _check_empty(values: dict[str, Any], kinds: Any) -> None:
    """Raise UsageError for a null or an empty list that its field cannot be: no parser has seen them."""
    for kind in kinds:
        hints = get_type_hints(kind)
        for field in fields(kind):
            if field.name not in values or (values[field.name] is None and field.default is None):
                continue
            possible = {get_origin(hint) or hint for hint in (hints[field.name], *get_args(hints[field.name]))}
            if type(values[field.name]) not in possible:
                found = "null" if values[field.name] is None else "an empty list"
                default = "" if field.default is MISSING else f" ({field.default!r})"
                raise UsageError(f"{field.name} is {found}; expected a value: leave it out for the default{default}")


def _build(kind: Any, chosen: Namespace) -> Any:
    return kind(**{f.name: getattr(chosen, f.name) for f in fields(kind) if f.init})


def _plan(kind: Any, chosen: Namespace) -> Any:
    """TRL's config for the machines it is meant for, of which this need not be one."""
    asked = {"use_cpu": chosen.use_cpu, "deepspeed": chosen.deepspeed}
    chosen.use_cpu, chosen.deepspeed = True, None
    config = _build(planned(kind, chosen.processes or launched_processes()), chosen)
    for name, value in asked.items():
        is_mapping = isinstance(value, str) and value.startswith("{")
        setattr(config, name, json.loads(value) if is_mapping else value)
    return config


def _choices(flags: list[str]) -> dict[str, str]:
    """The choices that have options, as the flags make them."""
    made = {}
    for token, following in pairwise([*flags, ""]):
        head, equals, value = token.partition("=")
        name = head.removeprefix("--").replace("-", "_")
        if token.startswith("--") and name in OPTIONS_OF:
            made[name] = value if equals else following
    return made


def _split_config(arguments: list[str]) -> tuple[str | None, list[str]]:
    rest, config = list(arguments), None
    for place, token in enumerate(rest):
        if token == "--config":
            if place + 1 == len(rest):
                raise UsageError("--config needs a YAML file, such as countdown")
            config = rest[place + 1]
            del rest[place : place + 2]
            break
        if token.startswith("--config="):
            config = rest.pop(place).partition("=")[2]
            break
    return config, rest


def _split_dotted(flags: list[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Take `--name.key value` and `--name.key=value` out of the flags; values are read as YAML, keys may go deeper."""
    from yaml import YAMLError

    from dra_grpo.training.yaml_values import yaml_value

    rest: list[str] = []
    dotted: dict[str, dict[str, Any]] = {}
    tokens = iter(flags)
    for token in tokens:
        head, equals, value = token.partition("=")
        if not token.startswith("--") or "." not in head:
            rest.append(token)
            continue
        name, *path, key = head[2:].split(".")
        if not equals:
            value = next(tokens, None)
            if value is None or value.startswith("--"):
                raise UsageError(f"{token} needs a value")
        inside = dotted.setdefault(name.replace("-", "_"), {})
        for step in path:
            inside = inside.setdefault(step, {})
            if not isinstance(inside, dict):
                raise UsageError(f"{head} goes into {step!r}, which another flag sets to {inside!r}")
        try:
            inside[key] = yaml_value(value)
        except YAMLError as error:
            raise UsageError(f"{head} is {value!r}, which is not YAML: {' '.join(str(error).split())}") from error
    return rest, dotted


def _columns(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        return _json_mapping(text)
    try:
        return parse_columns(text)
    except UsageError as error:
        raise ArgumentTypeError(str(error)) from error


def _json_mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentTypeError(f"expected a mapping, as YAML or JSON; got {text!r:.80} ({error})") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"expected a mapping; got {type(value).__name__} {text!r:.80}")
    return value


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, dict) or (isinstance(value, list) and name in MAPPINGS):
        return [f"--{name}={json.dumps(value, default=str)}"]
    if isinstance(value, list):
        return [f"--{name}", *(json.dumps(v, default=str) if isinstance(v, dict | list) else str(v) for v in value)]
    return [f"--{name}={value}"]
