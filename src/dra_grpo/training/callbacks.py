"""What a run writes down while it trains: metrics, samples, its cost, and how far it is."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dra_grpo.completions import policy_text
from dra_grpo.cost import cost
from dra_grpo.files import append_json_lines, read_json, write_json

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings

GROUPS_SAVED = 8
"""Groups of a batch that a sample keeps."""

SHOWN = {"reward": "dra/raw_reward", "SMI": "dra/smi", "distinct": "dra/distinct_completions"}
"""What is shown while a run goes on -> the diagnostic."""


@dataclass(eq=False)
class MetricsWriter(TrainerCallback):
    """Appends each logged step to `metrics.jsonl`, flushed, so that a kill loses no finished step."""

    file: Path

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        logs = more.get("logs") or {}
        if state.is_world_process_zero and "reward" in logs:
            known = {k: v for k, v in logs.items() if isinstance(v, str) or (v is not None and math.isfinite(v))}
            append_json_lines(self.file, [{"step": state.global_step, **dict.fromkeys(logs), **known}])


@dataclass(eq=False)
class SamplesWriter(TrainerCallback):
    """Appends whole groups of the first and of every n-th step to `samples.jsonl`, as saved groups."""

    file: Path
    every: int
    trainer: Any

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if not state.is_world_process_zero or (state.global_step != 1 and state.global_step % self.every):
            return
        rollouts, adjusted = self.trainer.adjustment
        logs = {name: list(self.trainer._logs[name]) for name in ("prompt", "completion", "advantages")}
        size = self.trainer.num_generations
        groups = []
        for start in range(0, min(len(logs["completion"]), GROUPS_SAVED * size), size):
            rows = slice(start, start + size)
            group = {
                "id": f"step-{state.global_step}-group-{start // size}",
                "step": state.global_step,
                "prompt": as_text(logs["prompt"][start]),
                "completions": [as_text(completion) for completion in logs["completion"][rows]],
                "correct": rollouts.is_correct[rows].tolist(),
                "rewards": _numbers(rollouts.rewards[rows].tolist()),
                "adjusted": _numbers(adjusted.rewards[rows].tolist()),
                "smi": _numbers(adjusted.smi[rows].tolist()),
                "advantages": _numbers(logs["advantages"][rows]),
            }
            groups.append(group)
        append_json_lines(self.file, groups)


class Progress(TrainerCallback):
    """Steps, time left, reward, and how much the group repeats itself: a bar, or in a log file ten lines."""

    def __init__(self) -> None:
        self.bar: tqdm | None = None
        self.tenths = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any):
        self.tenths = 10 * state.global_step // state.max_steps
        if state.is_world_process_zero and sys.stderr.isatty() and not args.disable_tqdm:
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="train", dynamic_ncols=True)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        logs = more.get("logs") or {}
        if not state.is_world_process_zero or "reward" not in logs:
            return
        shown = {name: f"{logs[key]:.3f}" for name, key in SHOWN.items() if logs.get(key) is not None}
        tenths = 10 * state.global_step // state.max_steps
        if self.bar is not None:
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update(state.global_step - self.bar.n)
        elif tenths > self.tenths:
            self.tenths = tenths
            numbers = "".join(f", {name} {value}" for name, value in shown.items())
            print(f"train: step {state.global_step} of {state.max_steps}{numbers}", file=sys.stderr, flush=True)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if self.bar is not None:
            self.bar.close()


@dataclass(eq=False)
class CostMeter(TrainerCallback):
    """Wall time × GPUs, written with every logged step, so that a killed run has paid for what it did until then.

    Args:
        file: the run's `environment.json`.
        started: `time.perf_counter()` when this part of the run began.
        gpus: that are paid for; 0 on a CPU.
        device: what they are.
        price: money a GPU-hour.
        before: the cost of the run's earlier parts, from the file as they left it.
    """

    file: Path
    started: float
    gpus: int = 0
    device: str = "CPU"
    price: float | None = None
    before: dict[str, Any] | None = None

    @property
    def cost(self) -> dict[str, Any]:
        """gpus and device of this part; seconds, gpu_hours and, with a price, money of all parts."""
        before, seconds = self.before or {"seconds": 0.0, "gpu_hours": 0.0}, time.perf_counter() - self.started
        gpu_seconds = 3600 * before["gpu_hours"] + self.gpus * seconds
        all_parts = cost(before["seconds"] + seconds, gpu_seconds, self.price)
        return {"gpus": self.gpus, "device": self.device, **all_parts}

    def write(self) -> None:
        """Put the cost so far into the file."""
        write_json(self.file, {**read_json(self.file), "cost": self.cost})

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: Any) -> None:
        if state.is_world_process_zero:
            self.write()


def gpus_paid_for(trainer: Any, settings: Settings) -> int:
    """GPUs of the training processes and of the generation server; 0 on a CPU."""
    on_gpu = trainer.accelerator.device.type == "cuda"
    return trainer.accelerator.num_processes + settings.server_gpus if on_gpu else 0


def as_text(turns: Any) -> str:
    """A prompt or completion as text; chat messages as `role: content` lines."""
    if isinstance(turns, str):
        return turns
    return "\n".join(f"{turn['role']}: {policy_text([{**turn, 'role': 'assistant'}])}" for turn in turns)


def _numbers(values: list[float]) -> list[float | None]:
    return [round(value, 6) if math.isfinite(value) else None for value in values]
