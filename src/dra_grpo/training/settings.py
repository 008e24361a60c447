"""One run, resolved from YAML and flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
from dra_grpo.errors import UsageError, one_line
from dra_grpo.tasks.data import parse_columns
from dra_grpo.training.directory import check_processes, launched_processes
from dra_grpo.training.fields import TABLES, check_values, default, field_types, fitted, force_cpu, members
from dra_grpo.training.recipe_file import layered, merged, read_recipe, refuse_unknown, yaml_value
from dra_grpo.training.validation import fitted_validation

if TYPE_CHECKING:
    from trl import GRPOConfig, ModelConfig

OURS = (RunConfig, DRAConfig, DatasetConfig)


@dataclass
class Settings:
    """Everything a run chooses.

    Attributes:
        run, dra: ours.
        model, training: TRL's.
        given: the keys that YAML or command line named.
        dataset: ours, for `task: dataset`.
        forced: (setting, value asked for, value now, why), where a CPU cannot do what was asked for.

    Raises:
        UsageError: a dataset without the task that reads it, or the task without a dataset.
    """

    run: RunConfig
    dra: DRAConfig
    model: ModelConfig
    training: GRPOConfig
    given: set[str]
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    forced: list[tuple[str, Any, Any, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        task, data, general = self.run.task, self.dataset, ("max_prompt_tokens",)
        if task == "dataset" and data.dataset_name is None:
            raise UsageError("task 'dataset' needs dataset_name: a file, a folder or a Hub id")
        for name, value in vars(data).items():
            if task != "dataset" and value != getattr(DatasetConfig, name, {}) and name not in general:
                raise UsageError(f"{name} is {value!r}, but task {task!r} has its own problems; add `task: dataset`")

    @property
    def server_gpus(self) -> int:
        """GPUs that serve generation beside the training ones: those named, or one for a vLLM server."""
        named, args = self.run.server_gpus, self.training
        return int(args.use_vllm and args.vllm_mode == "server") if named is None else named

    def without_effect(self) -> list[str]:
        """A line for what was given and is not read, since a switch is off or the task has no evaluation."""
        forced = {name for name, *_ in self.forced}
        values = {**vars(self.model), **vars(self.training)}
        lines = []
        if self.run.task == "dataset" and self.run.evaluation_problems not in (0, RunConfig.evaluation_problems):
            lines.append("evaluation_problems without effect: task 'dataset' is evaluated by `dra-grpo eval` alone")
        for start, switch in TABLES["needs"].items():
            idle = sorted(name for name in self.given if name.startswith(start))
            if idle and switch not in forced and values[switch] in (None, False, [], ["none"], "no"):
                off = getattr(values[switch], "value", values[switch])
                lines.append(f"{', '.join(idle)} without effect: {switch} is {off}")
        return lines


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Resolve `--config FILE` and flags; a flag wins over the file, the file over the one it extends.

    Args:
        arguments: what follows `dra-grpo train`. Mappings take dotted flags: `--method_options.smi logdet`.

    Raises:
        UsageError: a file that is not there or no YAML mapping, an unknown key, or a value that does not fit.
    """
    from trl import GRPOConfig, ModelConfig

    kinds: Any = (*OURS, ModelConfig, GRPOConfig)
    types = field_types(*kinds)
    flags = read_flags(arguments, types)
    config = flags.pop("config", None)
    values = layered({} if config is None else read_recipe(config, types), flags)
    values = {name: fitted(name, value, types[name]) for name, value in values.items()}
    chosen = {f.name: default(f) for kind in kinds for f in fields(kind)}
    check_values(values, chosen)
    chosen |= values
    forced = force_cpu(chosen, flags) if chosen["use_cpu"] else []
    fit = fitted_validation(chosen, values)
    chosen |= fit
    given = {*values, *fit, *(name for name, *_ in forced)}
    run, dra, dataset, model = (_build(kind, chosen, given) for kind in kinds[:-1])
    if not run.dry_run:
        check_processes(run.processes)
    try:
        training = (_plan if run.dry_run else _build)(GRPOConfig, chosen, given)
    except (ValueError, TypeError, ImportError) as error:
        raise UsageError(one_line(error)) from error
    return Settings(run, dra, model, training, given, dataset, forced)


def _build(kind: Any, chosen: dict[str, Any], given: set[str]) -> Any:
    """The dataclass with the values given; it works the others out itself."""
    return kind(**{f.name: chosen[f.name] for f in fields(kind) if f.init and f.name in given})


def _plan(kind: Any, chosen: dict[str, Any], given: set[str]) -> Any:
    """TRL's config for the machines it is meant for, of which this need not be one: no GPU is touched."""
    processes = chosen["processes"] or launched_processes()
    planned = type(kind.__name__, (kind,), {"world_size": property(lambda self: processes)})
    config = _build(planned, {**chosen, "use_cpu": True, "deepspeed": None}, {*given, "use_cpu"})
    config.use_cpu, config.deepspeed = chosen["use_cpu"], chosen["deepspeed"]
    return config


def read_flags(arguments: Sequence[str], types: dict[str, Any]) -> dict[str, Any]:
    """Flags as settings, one over the other in their order; keys of mappings are merged.

    Args:
        arguments: `--name value`, `--name=value`, `--name.key.key value`, `--name` alone for true, several values
            for a list.
        types: every setting's type.

    Raises:
        UsageError: an unknown name, a value that is missing, or one too many.

    >>> read_flags(["--dry-run", "--options", "{c: 1}", "--options.a.b=2e-1"], {"dry_run": bool, "options": dict})
    {'dry_run': True, 'options': {'c': 1, 'a': {'b': 0.2}}}
    """
    given: list[list[str]] = []
    for word in arguments:
        if word.startswith("--"):
            given.append(word[2:].split("=", 1))
        elif given:
            given[-1].append(word)
        else:
            raise UsageError(f"unexpected argument {word!r}; options are --name value")
    flags: dict[str, Any] = {}
    for flag, *words in given:
        name, *path = flag.split(".")
        name = name.replace("-", "_")
        refuse_unknown([name], {*types, "config"}, "unknown option")
        kinds = [] if path else members(types.get(name, str))
        if not words and bool in kinds:
            words = ["true"]
        if not words or (len(words) > 1 and list not in kinds):
            raise UsageError(f"--{flag} takes one value, got {' '.join(words) or 'none'}")
        if len(words) > 1:
            value = words
        elif str in kinds and not {bool, int, list, dict} & set(kinds):
            value = words[0]
        else:
            value = yaml_value(words[0], f"--{flag} is {words[0]!r}, which")
        if name == "columns" and not isinstance(value, dict) and not path:
            value = parse_columns(words[0])
        for key in reversed(path):
            value = {key: value}
        flags = merged(flags, {name: value})
    return flags
