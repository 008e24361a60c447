"""Going on with a run: which checkpoint is whole, and what a trainer needs beside what the checkpoint holds."""

import json
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from dra_grpo.errors import one_line
from dra_grpo.files import read_json, write_json
from dra_grpo.training.directory import RunDirectory, checkpoint_step, note


def broken(file: Path) -> str | None:
    """What is wrong with a file that a full disk or a kill may have cut short; None where nothing is seen to be.

    Judged by what costs nothing: a safetensors header against the file's size, the directory at the end of a file of
    torch's, and whether JSON is JSON. Files of other kinds pass.
    """
    try:
        match file.suffix:
            case ".safetensors":
                safe_open(file, "pt").__exit__(None, None, None)
            case ".pt" | ".pth" | ".bin":
                with file.open("rb") as opened:
                    start = opened.read(2)
                if start.strip(b"\0") in (b"", b"PK"):  # empty, or the zip file that torch writes
                    zipfile.ZipFile(file).close()
            case ".json":
                json.loads(file.read_text(encoding="utf-8"))
    except (SafetensorError, zipfile.BadZipFile, ValueError, OSError) as error:
        return f"{file.name} is damaged, {file.stat().st_size} bytes ({one_line(error)})"
    return None


def damage(checkpoint: Path, random_states: Sequence[str] = (), *, model_only: bool = False) -> str | None:
    """What is wrong with a checkpoint, naming the file; None where it is whole as far as can be judged.

    Args:
        checkpoint: the folder. Folders inside it (DeepSpeed's, FSDP's) stand for weights and optimiser, whose files
            are then not asked for.
        random_states: the files that the run's processes save, each its own.
        model_only: whether weights were all that was saved (`save_only_model`).
    """
    sharded = any(inside.is_dir() for inside in checkpoint.iterdir())
    weights = () if sharded else ("*model*",)
    training = () if sharded or model_only else ("optimizer.*", "scheduler.pt")
    for name in ("trainer_state.json", *random_states, *weights, *training):
        if not any(checkpoint.glob(name)):
            return f"{name} is missing"
    files = (file for file in sorted(checkpoint.rglob("*")) if file.is_file())
    return next(filter(None, map(broken, files)), None)


def newest_whole(directory: RunDirectory, args: Any, processes: int) -> Path | None:
    """The newest checkpoint that is whole, None where none is; says which it is, and why others are not.

    Args:
        directory: the run's.
        args: the trainer's settings.
        processes: of the run.
    """
    states = [f"rng_state_{rank}.pth" for rank in range(processes)] if processes > 1 else ["rng_state.pth"]
    if args.save_only_model or args.save_on_each_node:  # the latter: other machines have theirs
        states = []
    for checkpoint in directory.checkpoints():
        fault = damage(checkpoint, states, model_only=args.save_only_model)
        if fault is None:
            note(f"going on from {checkpoint}")
            find_best_here(checkpoint)
            return checkpoint
        note(f"{checkpoint} is passed over: {fault}")
    note(f"{directory.path} holds no whole checkpoint; starting from step 1")
    return None


def find_best_here(checkpoint: Path) -> None:
    """Have a checkpoint name the best one beside it, also where the run's folder was moved or copied."""
    file = checkpoint / "trainer_state.json"
    state = read_json(file)
    best = state.get("best_model_checkpoint")
    if best and best != str(here := checkpoint.parent / Path(best).name):
        write_json(file, {**state, "best_model_checkpoint": str(here)})


def go_on(trainer: Any, checkpoint: Path) -> None:
    """Have `trainer.train(resume_from_checkpoint=checkpoint)` do what an uninterrupted run would; say where it cannot.

    Args:
        trainer: built and not yet trained.
        checkpoint: a whole one, of a run with the same settings.
    """
    args, step = trainer.args, checkpoint_step(checkpoint)
    if step * args.gradient_accumulation_steps % (args.steps_per_generation * trainer.num_iterations):
        note("--resume is not exact here: the checkpoint lies between two generations, which are not saved")
    if args.save_only_model:
        note("--resume is not exact here: save_only_model left no optimiser, schedule or random state to go on with")
    args.eval_on_start = False  # it was, when the run began
    skip_epochs(trainer, step)
    if step >= read_json(checkpoint / "trainer_state.json")["max_steps"]:
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
