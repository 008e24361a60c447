"""What a run writes down while it trains: metrics, samples, its cost, a progress bar."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dra_grpo.cost import cost
from dra_grpo.files import append_json_lines, read_json, write_json

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings

GROUPS_SAVED = 8
"""Groups of a batch that a sample keeps."""


class MetricsWriter(TrainerCallback):
    """Appends each logged step to `metrics.jsonl`, flushed, so that a kill loses no finished step."""

    def __init__(self, file: Path):
        self.file = file

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ):
        if state.is_world_process_zero and logs and "reward" in logs:
            finite = {
                k: v if isinstance(v, str) or (v is not None and math.isfinite(v)) else None for k, v in logs.items()
            }
            append_json_lines(self.file, [{"step": state.global_step, **finite}])


class SamplesWriter(TrainerCallback):
    """Appends whole groups of the first and of every n-th step to `samples.jsonl`, as saved groups."""

    def __init__(self, file: Path, every: int):
        self.file = file
        self.every = every
        self.trainer: Any = None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any):
        if not state.is_world_process_zero or (state.global_step != 1 and state.global_step % self.every):
            return
        rollouts, adjusted = self.trainer.adjustment
        prompts, completions = list(self.trainer._logs["prompt"]), list(self.trainer._logs["completion"])
        advantages = list(self.trainer._logs["advantages"])
        size = self.trainer.num_generations
        groups = []
        for start in range(0, min(len(completions), GROUPS_SAVED * size), size):
            rows = slice(start, start + size)
            group = {
                "id": f"step-{state.global_step}-group-{start // size}",
                "step": state.global_step,
                "prompt": as_text(prompts[start]),
                "completions": [as_text(completion) for completion in completions[rows]],
                "correct": rollouts.is_correct[rows].tolist(),
                "rewards": _numbers(rollouts.rewards[rows].tolist()),
                "adjusted": _numbers(adjusted.rewards[rows].tolist()),
                "smi": _numbers(adjusted.smi[rows].tolist()),
                "advantages": _numbers(advantages[rows]),
            }
            groups.append(group)
        append_json_lines(self.file, groups)


class ProgressBar(TrainerCallback):
    """One line: steps, time left, reward, and how much the group repeats itself."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any):
        if state.is_world_process_zero:
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="train", dynamic_ncols=True)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ):
        if self.bar is None or not logs or "reward" not in logs:
            return
        shown = {
            "reward": logs.get("dra/raw_reward"),
            "SMI": logs.get("dra/smi"),
            "distinct": logs.get("dra/distinct_completions"),
        }
        self.bar.set_postfix(
            {name: f"{value:.3f}" for name, value in shown.items() if value is not None}, refresh=False
        )
        self.bar.update(state.global_step - self.bar.n)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any):
        if self.bar is not None:
            self.bar.close()


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


def as_text(turns: Any) -> str:
    """A prompt or completion as text; chat messages as `role: content` lines."""
    if isinstance(turns, str):
        return turns
    return "\n".join(f"{message['role']}: {message['content']}" for message in turns)


def _numbers(values: list[float]) -> list[float | None]:
    return [round(value, 6) if math.isfinite(value) else None for value in values]
