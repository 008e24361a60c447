"""Settings for one kind of machine on another: what a CPU forces, and what cannot run here."""

from __future__ import annotations

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


def force_cpu(settings: dict[str, Any], flags: Collection[str]) -> list[tuple[str, Any, Any, str]]:
    """Change in place what a recipe for GPUs asks for and a CPU cannot do; flags given by hand stay.

    The processes that are missing are made up for by gradient accumulation: a step has as many completions as before.

    Args:
        settings: every setting by name.
        flags: the settings given on the command line.

    Returns:
        (setting, value before, value now, why), in order.
    """
    changes = {name: change for name, change in FORCED.items() if name not in flags and settings[name]}
    if "flash" not in str(settings["attn_implementation"]):
        changes.pop("attn_implementation", None)
    if settings["bf16"] is None and not settings["fp16"]:
        settings["bf16"] = True  # TRL's default, said so that it is seen and changed like the rest
        changes["bf16"] = FORCED["bf16"]
    here, wanted = launched_processes(), settings["processes"]
    if wanted and wanted != here and "processes" not in flags:
        if wanted % here:
            raise UsageError(
                f"the batch is meant for {wanted} processes and {here} were launched; "
                f"launch a number that divides {wanted}"
            )
        changes["processes"] = here, "processes launched here"
        accumulated = settings["gradient_accumulation_steps"] * (wanted // here)
        changes["gradient_accumulation_steps"] = accumulated, "a step keeps its completions"
    forced = [(name, settings[name], now, why) for name, (now, why) in changes.items() if settings[name] != now]
    settings.update({name: now for name, _, now, _ in forced})
    return forced


def check_machine(settings: dict[str, Any]) -> None:
    """Raise UsageError where this machine cannot run the settings: other processes, or no GPU that can do bf16."""
    from transformers.utils import is_torch_bf16_gpu_available

    here, wanted = launched_processes(), settings["processes"]
    if wanted is not None and wanted != here:
        raise UsageError(
            f"the batch is meant for {wanted} training process{'es' * (wanted != 1)}, but {here} runs here; "
            f"launch with torchrun --nproc_per_node {wanted} -m dra_grpo train ..., or set --processes {here} and "
            "--gradient_accumulation_steps to match"
        )
    bf16 = settings["bf16"] or (settings["bf16"] is None and not settings["fp16"])
    if bf16 and not settings["use_cpu"] and not is_torch_bf16_gpu_available():
        raise UsageError(
            "no GPU that can do bf16 is seen here; --use_cpu runs it on the CPU, --dry-run shows what it would be"
        )


def is_meant_for_this_machine(processes: int | None, use_cpu: bool) -> bool:
    """Whether a run of so many processes (None: any), on a CPU or not, could be started here."""
    import torch

    return processes in (None, launched_processes()) and (use_cpu or torch.cuda.is_available())
