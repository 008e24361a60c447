"""What `dra-grpo train --help` shows: everything that can be set, in groups, the common ones first."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib.util import find_spec
from textwrap import fill
from typing import Any

from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
from dra_grpo.training.fields import UNREAD, default, field_types, type_name

USAGE = """usage: dra-grpo train --config RECIPE [--name value ...]

RECIPE is a YAML file, or a name of `dra-grpo list recipes`. Everything below is a key of such a
file and a flag; the flag wins. A mapping takes single keys too (--method_options.smi logdet), a
list several values (--reward_funcs format accuracy).
Several processes: torchrun --nproc_per_node N -m dra_grpo train ...
"""

COMMON = (
    "model_name_or_path", "task", "dataset_name", "columns", "reward_funcs", "method", "method_options", "embedder",
    "embedder_options", "output_dir", "resume", "overwrite", "dry_run", "use_cpu", "max_steps", "num_train_epochs",
    "learning_rate", "num_generations", "per_device_train_batch_size", "gradient_accumulation_steps",
    "max_completion_length", "temperature", "beta", "loss_type", "scale_rewards", "use_vllm", "save_steps", "seed",
)  # fmt: skip
"""What most runs set."""


def train_help() -> str:
    """Every setting by group, with its type, default and meaning; TRL's where it is installed."""
    groups = dict(_groups())
    known = {name: entry for entries in groups.values() for name, entry in entries.items()}
    lines = [USAGE, "What most runs set:", "", *(known[name] for name in COMMON if name in known)]
    for title, entries in groups.items():
        lines += ["", f"{title}:", "", *(entry for name, entry in entries.items() if name not in COMMON)]
    if not find_spec("trl"):
        lines += ["", "The settings of model and trainer are TRL's: pip install 'dra-grpo[trl]' shows them here."]
    return "\n".join(lines)


def _groups() -> Iterator[tuple[str, dict[str, str]]]:
    yield "The adjustment", _entries(DRAConfig)
    yield "The run", _entries(RunConfig)
    yield "Problems of your own (task: dataset)", _entries(DatasetConfig)
    if not find_spec("trl"):
        return
    from trl import GRPOConfig, ModelConfig

    yield "The model (TRL's ModelConfig)", _entries(ModelConfig)
    entries, own = _entries(GRPOConfig), inspect.get_annotations(GRPOConfig)
    vllm = {name for name in own if name.startswith("vllm_")}
    yield "GRPO (TRL's GRPOConfig)", {name: entries[name] for name in own if name in entries and name not in vllm}
    yield "Generation by vLLM (TRL's GRPOConfig)", {name: entries[name] for name in own if name in vllm}
    yield "Training (transformers' TrainingArguments)", {n: entry for n, entry in entries.items() if n not in own}


def _entries(kind: Any) -> dict[str, str]:
    """Each field that is read -> its lines: flag, type and default, and below them what it means."""
    types, says = field_types(kind), meanings(kind)
    entries = {}
    for each in fields(kind):
        if each.name in types and each.name not in UNREAD:
            value = default(each)
            meaning = says.get(each.name) or _first_sentence(each.metadata.get("help", ""))
            start = "" if value is None or value == {} else f", default {getattr(value, 'value', value)}"
            wrapped = fill(meaning, 100, initial_indent=" " * 8, subsequent_indent=" " * 8)
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


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=\w\w\.) ", " ".join(text.split()))[0]
