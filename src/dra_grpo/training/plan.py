"""What a run comes to, worked out before anything is loaded: `dra-grpo train --dry-run`."""

from __future__ import annotations

import math
from typing import Any

from dra_grpo.adjuster import Adjuster
from dra_grpo.cli.tables import table
from dra_grpo.engines.checks import correctness_column
from dra_grpo.tasks.prompts import system_text
from dra_grpo.tasks.source import KNOWN_SIZES, is_local
from dra_grpo.training.data import check_columns, check_count, training_rows
from dra_grpo.training.memory import GIB, estimate, gib
from dra_grpo.training.model_shape import model_shape
from dra_grpo.training.run import dra_config, model_path, reward_functions
from dra_grpo.training.settings import Settings


def plan(settings: Settings) -> str:
    """Tables of the batch, the steps and the memory.

    Raises:
        UsageError: what a run would refuse before it loads anything.
    """
    dra = dra_config(settings)
    adjuster = Adjuster.of(dra, group_size=settings.training.num_generations, load=False)
    names = [reward.__name__ for reward in reward_functions(settings)]
    correctness_column(names, dra.correctness_reward, adjuster.reads_correct)
    return f"{table(['the run', ''], batch_rows(settings))}\n\n{_memory(settings)}"


def batch_rows(settings: Settings) -> list[list[Any]]:
    """Completions, prompts and steps; what depends on an unknown size of the data is left out."""
    args: Any = settings.training
    group, world = args.num_generations, args.world_size
    step = args.per_device_train_batch_size * args.gradient_accumulation_steps * world
    prompts = args.generation_batch_size // group
    problems = problem_count(settings)
    steps, generations = _steps(args, problems)
    server = settings.run.server_gpus
    if server is None:
        server = int(args.use_vllm and args.vllm_mode == "server")
    rows = [
        ["completions a group (G)", group],
        ["completions an optimiser step", step],
        ["prompts an optimiser step", f"{step / group:g}"],
        ["completions a generation step", args.generation_batch_size],
        ["training processes", world],
        ["GPUs that serve generation", server],
        ["generation steps", "unknown" if generations is None else generations],
        ["optimiser steps", "unknown" if steps is None else steps],
    ]
    if problems:
        rows.append(["problems", problems])
        if generations is not None:
            rows.append(["epochs", f"{generations * prompts / problems:.3g}"])
    return rows


def _steps(args: Any, problems: int | None) -> tuple[int | None, int | None]:
    """Optimiser steps and generations, as Trainer and TRL count them; None where the size of the data decides."""
    # Micro-steps that one generation feeds, and those of an epoch, each process counting its own.
    fed = args.steps_per_generation * args.num_iterations
    if not problems:
        steps = args.max_steps if args.max_steps > 0 else None
        return steps, steps and math.ceil(steps * args.gradient_accumulation_steps / fed)
    epoch = problems * args.num_generations // args.generation_batch_size * fed
    # The last optimiser step of an epoch takes what is left of it.
    in_epoch = math.ceil(epoch / args.gradient_accumulation_steps)
    steps = args.max_steps if args.max_steps > 0 else math.ceil(in_epoch * args.num_train_epochs)
    whole, rest = divmod(steps, in_epoch)
    return steps, math.ceil((whole * epoch + rest * args.gradient_accumulation_steps) / fed)


def problem_count(settings: Settings) -> int | None:
    """Problems to train on, None where only the Hub knows; prompts that are too long are still among them.

    Raises:
        UsageError: data of this machine that cannot be trained on.
    """
    data = settings.dataset
    if data.dataset_name is None or is_local(data.dataset_name):
        rows = training_rows(settings)
        check_columns(reward_functions(settings), rows)
        check_count(len(rows), settings)
        return len(rows)
    system_text(data.system_prompt)
    known = data.subset or KNOWN_SIZES.get((data.dataset_name, data.dataset_train_split))
    if known:
        check_count(known, settings)
    return known


def _memory(settings: Settings) -> str:
    model = model_path(settings)
    shape = model_shape(model)
    if shape is None:
        return f"memory: the size of {model!r} is not known here; a local model folder tells it"
    needs = estimate(settings, shape)
    rows = [[part.name, f"{part.bytes / GIB:.1f}", part.when, part.formula] for part in needs.parts]
    where = "process" if settings.training.use_cpu else "training GPU"
    lines = [
        table([f"memory a {where}", "GiB", "when", "estimate"], rows),
        f"\npeak about {gib(needs.peak)} with every row at its longest: added up, not measured",
    ]
    if needs.share:
        rest = "which it gives back while the policy trains" if needs.sleeps else "kept all the time"
        lines.append(
            f"vLLM takes {needs.share:.0%} of the card beside that, {rest}: a card of {gib(needs.card)} or more"
        )
    return "\n".join(lines)
