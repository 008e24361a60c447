"""GPU-hours of a run, and money where a price is known, kept in its `environment.json`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dra_grpo.evaluation.cost import cost
from dra_grpo.files import read_json, write_json

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings


class CostMeter(TrainerCallback):
    """Wall time × GPUs, written with every logged step, so that a killed run has paid for what it did until then.

    Counts from when it is made, on top of what earlier parts of the same run came to: build it before the model is
    loaded and before `environment.json` is written anew.

    Args:
        file: the run's `environment.json`.
        price: money a GPU-hour.
        clock: seconds from any start.
        goes_on: whether what `file` holds is an earlier part of this run, and not one to be overwritten.
    """

    def __init__(
        self,
        file: Path,
        price: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
        goes_on: bool = True,
    ):
        self.file = file
        self.price = price
        self.clock = clock
        self.before = (goes_on and read_json(file).get("cost")) or {"seconds": 0.0, "gpu_hours": 0.0}
        self.started = clock()
        self.gpus, self.device = 0, "CPU"

    def runs_on(self, gpus: int, device: str) -> None:
        """Tell how many GPUs are paid for, and what they are; without a call it is a CPU."""
        self.gpus, self.device = gpus, device

    @property
    def cost(self) -> dict[str, Any]:
        """gpus and device of this part; seconds, gpu_hours and, with a price, money of all parts."""
        seconds = self.clock() - self.started
        gpu_seconds = 3600 * self.before["gpu_hours"] + self.gpus * seconds
        return {
            "gpus": self.gpus,
            "device": self.device,
            **cost(self.before["seconds"] + seconds, gpu_seconds, self.price),
        }

    def write(self) -> None:
        """Put the cost so far into the file."""
        write_json(self.file, {**read_json(self.file), "cost": self.cost})

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any):
        if state.is_world_process_zero:
            self.write()


def gpus_paid_for(trainer: Any, settings: Settings) -> int:
    """GPUs of the training processes and of the generation server; 0 on a CPU."""
    args, server = settings.training, settings.run.server_gpus
    if trainer.accelerator.device.type != "cuda":
        return 0
    if server is None:
        server = 1 if args.use_vllm and args.vllm_mode == "server" else 0
    return trainer.accelerator.num_processes + server
