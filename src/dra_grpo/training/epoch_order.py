"""The order of problems in a resumed run's later epochs."""

from __future__ import annotations

import math
from typing import Any

import torch


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
