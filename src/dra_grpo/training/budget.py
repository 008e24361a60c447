"""What a run comes to, worked out before anything is loaded: `dra-grpo train --dry-run`."""

import math
from typing import Any

import torch

from dra_grpo.adjuster import Adjuster, correctness_column
from dra_grpo.tasks.prompts import system_text
from dra_grpo.tasks.source import KNOWN_SIZES, is_local
from dra_grpo.training.data import check_count, check_rows, dra_config, reward_functions, training_rows
from dra_grpo.training.directory import launched_processes
from dra_grpo.training.settings import Settings


def rehearse(settings: Settings) -> None:
    """Try the adjustment as a run would; the embedder only where the run is meant for this machine.

    Raises:
        UsageError: what a run would refuse before it loads the policy.
    """
    dra, names = dra_config(settings), [reward.__name__ for reward in reward_functions(settings)]
    here = settings.run.processes in (None, launched_processes())
    here = here and (settings.training.use_cpu or torch.cuda.is_available())
    adjuster = Adjuster.of(dra, group_size=settings.training.num_generations, load=here)
    correctness_column(names, dra.correctness_reward, adjuster.reads_correct)


def batch_rows(settings: Settings) -> list[tuple[str, Any]]:
    """Completions, prompts and steps, each with its name; what depends on an unknown size of the data is left out.

    Raises:
        UsageError: as `problem_count`.
    """
    args: Any = settings.training
    group, world = args.num_generations, args.world_size
    step = args.per_device_train_batch_size * args.gradient_accumulation_steps * world
    problems = problem_count(settings)
    # Micro-steps that one generation feeds, and those of an epoch, each process counting its own.
    fed = args.steps_per_generation * args.num_iterations
    epoch = problems and problems * group // args.generation_batch_size * fed
    # The last optimiser step of an epoch takes what is left of it.
    in_epochs = epoch and math.ceil(math.ceil(epoch / args.gradient_accumulation_steps) * args.num_train_epochs)
    steps = args.max_steps if args.max_steps > 0 else in_epochs
    generations = steps and math.ceil(steps * args.gradient_accumulation_steps / fed)
    rows = [
        ("completions a group (G)", group),
        ("completions an optimiser step", step),
        ("prompts an optimiser step", f"{step / group:g}"),
        ("completions a generation step", args.generation_batch_size),
        ("training processes", world),
        ("GPUs that serve generation", settings.server_gpus),
        ("generation steps", generations),
        ("optimiser steps", steps),
        ("problems", problems),
        ("epochs", epoch and steps and f"{steps * args.gradient_accumulation_steps / epoch:.3g}"),
    ]
    return [(name, "unknown" if value is None else value) for name, value in rows]


def problem_count(settings: Settings) -> int | None:
    """Problems to train on, None where only the Hub knows; prompts that are too long are still among them.

    Raises:
        UsageError: data of this machine that cannot be trained on.
    """
    data = settings.dataset
    if data.dataset_name is None or is_local(data.dataset_name):
        rows = training_rows(settings)
        check_rows(reward_functions(settings), rows)
        count = len(rows)
    else:
        system_text(data.system_prompt)
        count = data.subset or KNOWN_SIZES.get((data.dataset_name, data.dataset_train_split))
    if count:
        check_count(count, settings)
    return count
