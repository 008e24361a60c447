"""What a run writes down while it trains: metrics, samples, its cost, how far it is. For the main process alone."""

import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback

from dra_grpo.completions import policy_text
from dra_grpo.cost import cost
from dra_grpo.files import append_json_lines, read_json, write_json

GROUPS_SAVED = 8
"""Groups of a batch that a sample keeps."""

SHOWN = {"reward": "dra/raw_reward", "SMI": "dra/smi", "distinct": "dra/distinct_completions"}
"""What is shown while a run goes on -> the diagnostic."""

VALIDATION = ("greedy", "pass@16", "mean", "correct", "reward")
"""What is shown of an evaluation, where it has it."""


@dataclass(eq=False)
class MetricsWriter(TrainerCallback):
    """Appends each logged step and evaluation to `metrics.jsonl`, flushed, so that a kill loses no finished step."""

    file: Path

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        if "reward" in logs or any(name.startswith("eval_") for name in logs):
            known = {k: v for k, v in logs.items() if isinstance(v, str) or (v is not None and math.isfinite(v))}
            append_json_lines(self.file, [{"step": state.global_step, **dict.fromkeys(logs), **known}])


@dataclass(eq=False)
class SamplesWriter(TrainerCallback):
    """Appends whole groups of the first and of every n-th step to `samples.jsonl`, as saved groups."""

    file: Path
    every: int
    trainer: Any

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        step, size, logs = state.global_step, self.trainer.num_generations, self.trainer._logs
        if step != 1 and step % self.every:
            return
        rollouts, adjusted = self.trainer.adjustment
        columns = {
            "completions": [as_text(completion) for completion in logs["completion"]],
            "correct": rollouts.is_correct.tolist(),
            "rewards": _numbers(rollouts.rewards.tolist()),
            "adjusted": _numbers(adjusted.rewards.tolist()),
            "smi": _numbers(adjusted.smi.tolist()),
            "advantages": _numbers(logs["advantages"]),
        }
        groups = []
        for start in range(0, min(len(logs["completion"]), GROUPS_SAVED * size), size):
            group = {name: values[start : start + size] for name, values in columns.items()}
            about = {
                "id": f"step-{step}-group-{start // size}",
                "step": step,
                "prompt": as_text(logs["prompt"][start]),
            }
            groups.append(about | group)
        append_json_lines(self.file, groups)


class Progress(TrainerCallback):
    """Steps, time left, reward, and how much the group repeats itself: a bar, or in a log file ten lines."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.tenths = 10 * state.global_step // state.max_steps
        off = args.disable_tqdm or None  # None: where there is no terminal
        self.bar = tqdm(
            total=state.max_steps, initial=state.global_step, desc="train", dynamic_ncols=True, disable=off
        )

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **more: Any) -> None:
        if "reward" not in logs:
            return
        shown = {name: f"{logs[key]:.3f}" for name, key in SHOWN.items() if logs.get(key) is not None}
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update(state.global_step - self.bar.n)
        before, self.tenths = self.tenths, 10 * state.global_step // state.max_steps
        if self.bar.disable and self.tenths > before:
            numbers = "".join(f", {name} {value}" for name, value in shown.items())
            print(f"train: step {state.global_step} of {state.max_steps}{numbers}", file=sys.stderr, flush=True)

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:
        found = [f"{name} {metrics[f'eval_{name}']:.3f}" for name in VALIDATION if f"eval_{name}" in metrics]
        with tqdm.external_write_mode():
            print(f"validation: step {state.global_step}, {', '.join(found)}", file=sys.stderr, flush=True)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
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

    def write(self) -> dict[str, Any]:
        """Put the cost so far into the file: this part's gpus and device; seconds, hours and money of all parts."""
        before, seconds = self.before or {"seconds": 0.0, "gpu_hours": 0.0}, time.perf_counter() - self.started
        gpu_seconds = 3600 * before["gpu_hours"] + self.gpus * seconds
        all_parts = cost(before["seconds"] + seconds, gpu_seconds, self.price)
        found = {"gpus": self.gpus, "device": self.device, **all_parts}
        write_json(self.file, {**read_json(self.file), "cost": found})
        return found

    def on_log(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.write()


def as_text(turns: Any) -> str:
    """A prompt or completion as text; chat messages as `role: content` lines."""
    if isinstance(turns, str):
        return turns
    return "\n".join(f"{turn['role']}: {policy_text([{**turn, 'role': 'assistant'}])}" for turn in turns)


def _numbers(values: Any) -> list[float | None]:
    return [round(value, 6) if math.isfinite(value) else None for value in values]
