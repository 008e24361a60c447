"""What `dra-grpo train --help` shows: everything that can be set, in groups, the common ones first."""

import inspect
import re
from dataclasses import fields
from textwrap import fill, indent
from typing import Any

from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
from dra_grpo.training.fields import TABLES, default, field_types, type_name

USAGE = """usage: dra-grpo train --config RECIPE [--name value ...]

RECIPE is a YAML file, or a name of `dra-grpo list recipes`. Everything below is a key of such a
file and a flag; the flag wins. A mapping takes single keys too (--method_options.smi logdet), a
list several values (--reward_funcs format accuracy).
Several processes: torchrun --nproc_per_node N -m dra_grpo train ...
"""


def train_help() -> str:
    """Every setting by group, with its type, default and meaning."""
    from trl import GRPOConfig, ModelConfig

    grpo, own = _entries(GRPOConfig), inspect.get_annotations(GRPOConfig)
    groups = {
        "The adjustment": _entries(DRAConfig),
        "The run": _entries(RunConfig),
        "Problems of your own (task: dataset)": _entries(DatasetConfig),
        "The model (TRL's ModelConfig)": _entries(ModelConfig),
        "GRPO (TRL's GRPOConfig)": {name: grpo[name] for name in grpo if name in own},
        "Training (transformers' TrainingArguments)": {name: grpo[name] for name in grpo if name not in own},
    }
    known = {name: entry for entries in groups.values() for name, entry in entries.items()}
    lines = [USAGE, "What most runs set:", "", *(known[name] for name in TABLES["common"])]
    for title, entries in groups.items():
        lines += ["", f"{title}:", "", *(entry for name, entry in entries.items() if name not in TABLES["common"])]
    return "\n".join(lines)


def _entries(kind: Any) -> dict[str, str]:
    """Each field that is read -> its lines: flag, type and default, and below them what it means."""
    types, says = field_types(kind), meanings(kind)
    entries = {}
    for each in fields(kind):
        if each.name in types and each.name not in TABLES["unread"]:
            value = default(each)
            first_sentence = re.split(r"(?<=\w\w\.) ", " ".join(each.metadata.get("help", "").split()))[0]
            start = "" if value in (None, {}) else f", default {getattr(value, 'value', value)}"
            wrapped = indent(fill(says.get(each.name, first_sentence), 92), " " * 8)
            entries[each.name] = f"  --{each.name}  {type_name(types[each.name])}{start}\n{wrapped}"
    return entries


def meanings(kind: type) -> dict[str, str]:
    """Every field of a dataclass -> what its docstring says of it under `Attributes:`.

    >>> meanings(DatasetConfig)["subset"]
    'that many problems, drawn by `subset_seed`; None: all.'
    """
    _, _, attributes = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    found = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", attributes.partition("\n\n")[0], re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
