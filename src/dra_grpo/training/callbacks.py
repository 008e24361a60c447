"""What a run writes down while it trains: metrics, samples, a progress bar."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dra_grpo.files import append_json_lines

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


def as_text(turns: Any) -> str:
    """A prompt or completion as text; chat messages as `role: content` lines."""
    if isinstance(turns, str):
        return turns
    return "\n".join(f"{message['role']}: {message['content']}" for message in turns)


def _numbers(values: list[float]) -> list[float | None]:
    return [round(value, 6) if math.isfinite(value) else None for value in values]
