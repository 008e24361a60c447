"""YAML and command line to dataclasses: every TRL field and ours, unknown keys refused with the nearest name."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dra_grpo.cli.parser import CommandParser
from dra_grpo.config import DRAConfig, RunConfig
from dra_grpo.errors import UsageError, require
from dra_grpo.lab.settings import Settings

MAPPINGS = {f.name for kind in (RunConfig, DRAConfig) for f in fields(kind) if f.default_factory is dict}
"""Our settings that are mappings."""


def parse_settings(arguments: list[str]) -> Settings:
    """Resolve `--config FILE` and flags; a flag wins over the file.

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

    kinds = (RunConfig, DRAConfig, ModelConfig, GRPOConfig)
    parser = Parser(kinds, prog="dra-grpo train", allow_abbrev=False)
    for action in parser._actions:
        if action.dest in MAPPINGS:
            action.type = _json_mapping
    names = {f.name for kind in kinds for f in fields(kind)}
    config, flags = _split_config(arguments)
    values = _read_yaml(config) if config else {}
    _refuse_unknown(values, names, f"{config}: unknown key")
    flags, dotted = _split_dotted(flags)
    _refuse_unknown(dotted, names, "unknown option")
    for name, options in dotted.items():
        values[name] = {**(values.get(name) or {}), **options}
    # As flags, so that one parser converts and checks every value; None and [] have no flag and are set as they are.
    as_they_are = {k: v for k, v in values.items() if v is None or v == []}
    parser.set_defaults(**as_they_are)
    flags = [token for k, v in values.items() if k not in as_they_are for token in _flag(k, v)] + flags
    known_flags = {name for action in parser._actions for name in action.option_strings}
    for token in flags:
        if token.startswith("--") and token.partition("=")[0] not in known_flags:
            _refuse_unknown([token.partition("=")[0][2:].replace("-", "_")], names, "unknown option")
    try:
        run, dra, model, training, rest = parser.parse_args_into_dataclasses(
            flags, return_remaining_strings=True, look_for_args_file=False
        )
    except (ValueError, TypeError, ImportError) as error:
        raise UsageError(" ".join(str(error).split())) from error
    if rest:
        raise UsageError(f"unexpected argument {rest[0]!r}; options are --name value")
    named = {token.partition("=")[0].lstrip("-").replace("-", "_") for token in flags if token.startswith("--")}
    return Settings(run, dra, model, training, named | set(values))


def _split_config(arguments: list[str]) -> tuple[str | None, list[str]]:
    rest, config = list(arguments), None
    for place, token in enumerate(rest):
        if token == "--config":
            if place + 1 == len(rest):
                raise UsageError("--config needs a YAML file, such as recipes/countdown.yaml")
            config = rest[place + 1]
            del rest[place : place + 2]
            break
        if token.startswith("--config="):
            config = rest.pop(place).partition("=")[2]
            break
    return config, rest


def _read_yaml(path: str) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"config file {path!r} cannot be read: {error.strerror}; check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UsageError(
            f"{path} must be a YAML mapping of settings, `key: value` a line; got {type(values).__name__}"
        )
    return values


def _split_dotted(flags: list[str]) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Take `--name.key value` and `--name.key=value` out of the flags; values are read as YAML."""
    import yaml

    rest: list[str] = []
    dotted: dict[str, dict[str, Any]] = {}
    tokens = iter(flags)
    for token in tokens:
        head, equals, value = token.partition("=")
        if not token.startswith("--") or "." not in head:
            rest.append(token)
            continue
        name, _, key = head[2:].partition(".")
        if not equals:
            value = next(tokens, None)
            if value is None or value.startswith("--"):
                raise UsageError(f"{token} needs a value")
        dotted.setdefault(name.replace("-", "_"), {})[key] = yaml.safe_load(value)
    return rest, dotted


def _json_mapping(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ArgumentTypeError(f"expected a mapping, as YAML or JSON; got {text!r:.80} ({error})") from error
    if not isinstance(value, dict):
        raise ArgumentTypeError(f"expected a mapping; got {type(value).__name__} {text!r:.80}")
    return value


def _flag(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [f"--{name}", *(json.dumps(v) if isinstance(v, dict | list) else str(v) for v in value)]
    return [f"--{name}={json.dumps(value) if isinstance(value, dict) else value}"]


def _refuse_unknown(keys: Any, names: set[str], what: str) -> None:
    for key in keys:
        if key not in names:
            near = get_close_matches(str(key), names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "see `dra-grpo train --help`"
            raise UsageError(f"{what} {key!r}; {hint}")
