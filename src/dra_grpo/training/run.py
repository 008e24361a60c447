"""One run: data, trainer, evaluation before and after, and everything written down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dra_grpo.config import DRAConfig, own_settings
from dra_grpo.errors import UsageError
from dra_grpo.files import read_json, write_whole
from dra_grpo.hub import model_folder
from dra_grpo.tasks import TASKS
from dra_grpo.training.data import as_dataset, function_name, rewards_by_name, training_data
from dra_grpo.training.directory import RunDirectory, checkpoint_step, is_main_process, launched_processes

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings

NOT_COMPARED = {
    "resume", "overwrite", "dry_run", "output_dir", "samples_every", "report_to", "logging_dir",
    "price_per_gpu_hour", "server_gpus",
}  # fmt: skip
"""Settings that may differ when a run is resumed: they do not change its numbers."""


def train(settings: Settings) -> dict[str, Any]:
    """Train as `settings` say; the main process returns the run's `cost` and, where it was evaluated, its figures.

    Raises:
        UsageError: a directory that holds another run, a model that is not there, or a setting that cannot work.
    """
    directory = RunDirectory(str(settings.training.output_dir))
    with directory.locked():
        return _train(settings, directory)


def _train(settings: Settings, directory: RunDirectory) -> dict[str, Any]:
    import torch

    from dra_grpo.training.callbacks import CostMeter, gpus_paid_for
    from dra_grpo.training.resume import go_on

    checkpoint = _prepare(directory, settings)
    resolved = resolved_yaml(settings)  # before TRL writes into its settings
    meter = CostMeter(directory.environment, settings.run.price_per_gpu_hour, goes_on=settings.run.resume)
    trainer = build_trainer(settings, directory)
    trainer.add_callback(meter)
    if gpus := gpus_paid_for(trainer, settings):
        meter.runs_on(gpus, torch.cuda.get_device_name(trainer.accelerator.device))
    main = trainer.accelerator.is_main_process
    if main:
        if settings.run.overwrite:  # only now: a setting that cannot work has cost nobody a run
            directory.clear()
        write_whole(directory.config, resolved)
        directory.write_environment(settings.training.seed, trainer.accelerator.num_processes)
        meter.write()
        directory.cut_back(checkpoint_step(checkpoint) if checkpoint else 0)
    base = _evaluate(trainer, settings)
    if checkpoint:
        go_on(trainer, checkpoint)
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except ImportError as error:  # an optimiser's or kernel's package, which nobody asks for earlier
        raise UsageError(" ".join(str(error).split())) from error
    trainer.save_model()
    trained = _evaluate(trainer, settings)
    if not main:
        return {}
    meter.write()
    if base is None or trained is None:
        return {"cost": meter.cost}
    from dra_grpo.evaluation.exact import differences, with_intervals

    figures = {
        "task": settings.run.task,
        "split": settings.run.evaluation_split,
        "problems": settings.run.evaluation_problems,
        "method": settings.dra.method,
        "base": with_intervals(base),
        "trained": with_intervals(trained),
        "difference": differences(trained, base),
    }
    directory.write_evaluation(figures)
    return {**figures, "cost": meter.cost}


def build_trainer(settings: Settings, directory: RunDirectory) -> Any:
    """TRL's trainer with the adjustment, the task's data and this library's writers."""
    from transformers import PrinterCallback, ProgressCallback
    from transformers.utils.logging import disable_progress_bar
    from trl import get_peft_config, get_quantization_config

    from dra_grpo.engines.checks import check_config
    from dra_grpo.engines.trl import DRAGRPOTrainer
    from dra_grpo.training.callbacks import MetricsWriter, ProgressBar, SamplesWriter

    disable_progress_bar()  # a bar for every checkpoint's shards would break up the run's own
    rewards = reward_functions(settings)
    dra = dra_config(settings)
    check_config(dra)
    model = model_path(settings)
    tokenizer = _tokenizer(model, settings.model.model_revision)
    rows = as_dataset(training_data(settings, rewards, tokenizer))
    more: Any = settings.training.model_init_kwargs or {}
    settings.training.model_init_kwargs = {
        "dtype": settings.model.dtype,
        "attn_implementation": settings.model.attn_implementation,
        "revision": settings.model.model_revision,
        **more,
    }
    samples = SamplesWriter(directory.samples, settings.run.samples_every)
    try:
        trainer = DRAGRPOTrainer(
            model=model,
            reward_funcs=rewards,
            args=settings.training,
            train_dataset=rows,
            processing_class=tokenizer,
            callbacks=[MetricsWriter(directory.metrics), samples, ProgressBar()],
            quantization_config=get_quantization_config(settings.model),
            peft_config=get_peft_config(settings.model),
            dra=dra,
        )
    except UsageError:
        raise
    except (
        OSError,
        ValueError,
        TypeError,
        ImportError,
        RuntimeError,
    ) as error:  # a package, a file or a GPU that is not there
        raise UsageError(f"the trainer cannot be built: {' '.join(str(error).split()):.400}") from error
    samples.trainer = trainer
    for noisy in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(noisy)
    return trainer


def model_path(settings: Settings) -> str:
    """The policy to start from: the one named, or the one that comes with the task."""
    named = settings.model.model_name_or_path
    if named is None:
        policy = TASKS[settings.run.task].policy
        if policy is None:
            raise UsageError(f"task {settings.run.task!r} brings no policy; name one with --model_name_or_path")
        return str(policy)
    return model_folder(named) or named


def _tokenizer(model: str, revision: str | None) -> Any:
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(model, padding_side="left", revision=revision or "main")
    except (OSError, ValueError) as error:
        first_line = str(error).strip().partition("\n")[0].rstrip(" .:")
        raise UsageError(
            f"model {model!r} cannot be loaded: {first_line}. Name a model folder, or a hub name with "
            "the hub reachable"
        ) from error


def reward_functions(settings: Settings) -> list[Any]:
    """The rewards named, or the task's own, with their options."""
    names = settings.run.reward_funcs or TASKS[settings.run.task].rewards
    weights = settings.training.reward_weights
    if weights is not None and len(weights) != len(names):
        raise UsageError(f"reward_weights has {len(weights)} numbers for {len(names)} rewards: {', '.join(names)}")
    return rewards_by_name(names, settings.run.reward_options)


def dra_config(settings: Settings) -> DRAConfig:
    """The adjustment's settings with the correctness reward named as TRL names it."""
    return replace(settings.dra, correctness_reward=function_name(settings.dra.correctness_reward))


def resolved_yaml(settings: Settings) -> str:
    """Every setting of ours and every TRL setting that was given, as YAML that `--config` takes again."""
    import yaml
    from trl import __version__

    own = (settings.run, settings.dra, *([settings.dataset] if settings.run.task == "dataset" else []))
    values = _given_trl(settings) | own_settings(*own)
    for flag in ("resume", "overwrite", "dry_run"):
        values.pop(flag)
    return f"# TRL settings not named here have trl {__version__}'s defaults.\n" + yaml.safe_dump(values)


def _given_trl(settings: Settings) -> dict[str, Any]:
    values = {**vars(settings.model), **settings.training.to_dict()}
    return {name: values[name] for name in sorted(settings.given) if name in values}


def _prepare(directory: RunDirectory, settings: Settings) -> Path | None:
    """The checkpoint to go on from; refuses to mix two runs in one directory."""
    if not settings.run.resume:
        if directory.holds_run() and not settings.run.overwrite:
            raise UsageError(
                f"{directory.path} already holds a run; go on with --resume, start anew with --overwrite, "
                "or choose another --output_dir"
            )
        return None
    if directory.config.exists():
        _compare(directory, settings)
    checkpoint = directory.last_checkpoint()
    if checkpoint is None and is_main_process():
        print(f"note: {directory.path} holds no complete checkpoint; starting from the first step")
    return checkpoint


def _compare(directory: RunDirectory, settings: Settings) -> None:
    import yaml

    before = yaml.safe_load(directory.config.read_text(encoding="utf-8"))
    now = yaml.safe_load(resolved_yaml(settings))
    before["launched processes"] = read_json(directory.environment).get("processes", launched_processes())
    now["launched processes"] = launched_processes()
    changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k) and k not in NOT_COMPARED)
    if changed:
        shown = ", ".join(f"{k}: {before.get(k)!r} -> {now.get(k)!r}" for k in changed)
        raise UsageError(
            f"{directory.path} was run with other settings ({shown}); resume with the same, or --overwrite"
        )


def _evaluate(trainer: Any, settings: Settings) -> dict[str, Any] | None:
    """Per-problem figures of the policy as it is now, on the main process."""
    count = settings.run.evaluation_problems
    if not count or settings.run.task != "countdown":
        return None
    trainer.accelerator.wait_for_everyone()
    figures = None
    if trainer.accelerator.is_main_process:
        from dra_grpo.evaluation.exact import evaluate_countdown

        model = trainer.accelerator.unwrap_model(trainer.model)
        size = settings.run.task_options.get("size", 3)
        figures = evaluate_countdown(model, trainer.processing_class, settings.run.evaluation_split, count, size=size)
    trainer.accelerator.wait_for_everyone()
    return figures
