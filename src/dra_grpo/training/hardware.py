"""Settings for one kind of machine on another: what a CPU forces, and plans for GPUs that are not here."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.training.directory import launched_processes

FORCED = {
    "use_vllm": (False, "vLLM needs a GPU; transformers generates"),
    "deepspeed": (None, "DeepSpeed needs a GPU"),
    "attn_implementation": ("sdpa", "FlashAttention needs a GPU"),
    "bf16": (False, "slow on a CPU"),
    "dtype": ("float32", "bf16 weights would lose small updates"),
}
"""setting -> (its value on a CPU, why), for a setting that a recipe made for GPUs has otherwise."""


def force_cpu(settings: Namespace, flags: Collection[str]) -> list[tuple[str, Any, Any, str]]:
    """Change in place what a recipe for GPUs asks for and a CPU cannot do; flags given by hand stay.

    The processes that are missing are made up for by gradient accumulation: a step has as many completions as before.

    Args:
        settings: every setting by name.
        flags: the settings given on the command line.

    Returns:
        (setting, value before, value now, why), in order.
    """
    changed = []

    def change(name: str, value: Any, why: str) -> None:
        if getattr(settings, name) != value:
            changed.append((name, getattr(settings, name), value, why))
            setattr(settings, name, value)

    if settings.bf16 is None and not settings.fp16:
        settings.bf16 = True  # TRL's default, said so that it is seen and changed like the rest
    for name, (value, why) in FORCED.items():
        asked = getattr(settings, name)
        if name not in flags and asked and not (name == "attn_implementation" and "flash" not in asked):
            change(name, value, why)
    here = launched_processes()
    if settings.processes and settings.processes != here and "processes" not in flags:
        if settings.processes % here:
            raise UsageError(
                f"the batch is meant for {settings.processes} processes and {here} were launched; "
                f"launch a number that divides {settings.processes}"
            )
        missing = settings.processes // here
        change("processes", here, "processes launched here")
        change(
            "gradient_accumulation_steps",
            settings.gradient_accumulation_steps * missing,
            "a step keeps its completions",
        )
    return changed


def check_processes(wanted: int | None) -> None:
    """Raise UsageError unless as many processes run as the batch is meant for."""
    here = launched_processes()
    if wanted is not None and wanted != here:
        raise UsageError(
            f"the batch is meant for {wanted} training process{'es' * (wanted != 1)}, but {here} runs here; "
            f"launch with torchrun --nproc_per_node {wanted} -m dra_grpo train ..., or set --processes {here} and "
            "--gradient_accumulation_steps to match"
        )


def planned(kind: type, processes: int) -> type:
    """`GRPOConfig` for `processes` processes, whatever is here: it touches no GPU and starts nothing.

    To be built with `use_cpu=True` and `deepspeed=None`, and set back: both matter only when a run starts.
    """
    return type(kind.__name__, (kind,), {"world_size": property(lambda self: processes)})
