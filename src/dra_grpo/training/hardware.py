"""Settings for one kind of machine on another: what a CPU forces, and another number of processes."""

from collections.abc import Collection
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.training.directory import launched_processes
from dra_grpo.training.fields import TABLES


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


def check_processes(wanted: int | None) -> None:
    """Raise UsageError where another number of processes runs here than the batch is meant for; None: any."""
    here = launched_processes()
    if wanted not in (None, here):
        raise UsageError(
            f"the batch is meant for {wanted} training process{'es' * (wanted != 1)}, but {here} runs here; "
            f"launch with torchrun --nproc_per_node {wanted} -m dra_grpo train ..., or set --processes {here}"
        )
