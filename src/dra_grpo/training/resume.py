"""What a trainer needs to go on from a checkpoint beside what the checkpoint holds."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch

from dra_grpo.training.directory import checkpoint_step


def go_on(trainer: Any, checkpoint: Path) -> None:
    """Have `trainer.train(resume_from_checkpoint=checkpoint)` do what an uninterrupted run would; say where it cannot.

    Args:
        trainer: built and not yet trained.
        checkpoint: a whole one, of a run with the same settings.
    """
    args, step = trainer.args, checkpoint_step(checkpoint)
    reasons = []
    if step * args.gradient_accumulation_steps % (args.steps_per_generation * trainer.num_iterations):
        reasons.append("the checkpoint lies between two generations, and TRL saves no buffer of completions")
    if args.save_only_model:
        reasons.append("save_only_model left no optimiser, schedule or random state to go on with")
    if trainer.accelerator.is_main_process:
        for reason in reasons:
            print(f"note: --resume is not exact here: {reason}")
    skip_epochs(trainer, step)
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    if step >= state["max_steps"]:
        # Trainer counts steps only after it has taken one, and would take one too many.
        trainer._run_epoch = lambda **_: None


def skip_epochs(trainer: Any, steps: int) -> None:
    """Have `trainer` go on, after `steps` optimiser steps, with the orders that an uninterrupted run would draw.

    TRL draws each epoch's order from one generator, which no checkpoint holds, and Trainer passes over whole epochs
    without drawing theirs: a resumed run would see the first epoch's order again.

    Args:
        trainer: built and not yet trained.
        steps: of the checkpoint.
    """
    in_epoch = max(1, math.ceil(len(trainer.get_train_dataloader()) / trainer.args.gradient_accumulation_steps))
    original = trainer._get_train_sampler

    def sampler(dataset: Any = None) -> Any:
        fresh = original(dataset)
        for _ in range(steps // in_epoch if fresh.shuffle else 0):
            torch.randperm(fresh.num_samples, generator=fresh.generator)
        return fresh

    trainer._get_train_sampler = sampler
