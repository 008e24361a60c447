"""One run: data, trainer, evaluation before and after, and everything written down."""

import time
from contextlib import nullcontext
from copy import copy
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import broadcast_object_list

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.one_rule import Reading, compared, read_countdown
from dra_grpo.files import locked, read_json, write_json
from dra_grpo.hub import model_folder
from dra_grpo.tasks import TASKS
from dra_grpo.training.callbacks import CostMeter, MetricsWriter, Progress, SamplesWriter
from dra_grpo.training.data import dra_config, reward_functions, training_data
from dra_grpo.training.directory import RunDirectory, checkpoint_step, is_main_process, launched_processes, note
from dra_grpo.training.faults import in_one_line
from dra_grpo.training.model_card import write_card
from dra_grpo.training.resume import broken, go_on, newest_whole
from dra_grpo.training.settings import Settings
from dra_grpo.training.validation import best_step

NOT_COMPARED = {"output_dir", "samples_every", "report_to", "logging_dir", "price_per_gpu_hour", "server_gpus"}
"""Settings that may differ when a run is resumed: they do not change its numbers."""


NOT_WRITTEN = {"resume", "overwrite", "dry_run", "hub_token"}
"""Settings that are of one call alone, or a secret: a run's `config.yaml` is without them."""


def train(settings: Settings) -> dict[str, Any]:
    """Train as `settings` say; the main process returns the run's `cost` and, where it was evaluated, its results.

    Raises:
        UsageError: a directory that holds another run, a model that is not there, or a setting that cannot work.
    """
    directory = RunDirectory(str(settings.training.output_dir))
    with locked(directory.path, "run", "--output_dir") if is_main_process() else nullcontext():
        return _train(settings, directory)


def _train(settings: Settings, directory: RunDirectory) -> dict[str, Any]:
    started, resolved, run = time.perf_counter(), resolved_yaml(settings), settings.run
    check_directory(directory, settings, resolved)
    checkpoint, spent = None, None
    if run.resume:
        spent = read_json(directory.environment).get("cost")
        found = newest_whole(directory, settings.training, launched_processes()) if is_main_process() else None
        checkpoint = broadcast_object_list([found])[0]
    trainer = build_trainer(settings)
    on_gpu, main = trainer.accelerator.device.type == "cuda", trainer.accelerator.is_main_process
    processes = trainer.accelerator.num_processes
    gpus = processes + settings.server_gpus if on_gpu else 0
    device = torch.cuda.get_device_name(trainer.accelerator.device) if on_gpu else "CPU"
    meter = CostMeter(directory.environment, started, gpus, device, run.price_per_gpu_hour, spent)
    if main:
        if run.overwrite:  # only now: a setting that cannot work has cost nobody a run
            directory.clear()
        directory.begin(resolved, settings.training.seed, processes)
        directory.cut_back(checkpoint_step(checkpoint) if checkpoint else -1)
        meter.write()
        samples = SamplesWriter(directory.samples, run.samples_every, trainer)
        for callback in (MetricsWriter(directory.metrics), samples, meter, Progress()):
            trainer.add_callback(callback)
    if trainer.eval_dataset is not None and run.evaluation_split == "validation":
        note("the curves' problems are among the final evaluation's, which evaluation_split takes from validation too")
    base = evaluate(trainer, settings)
    if checkpoint:
        go_on(trainer, checkpoint)
    with in_one_line("training stopped", settings.training.lr_scheduler_kwargs or ()):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trainer.save_model()
    trained = evaluate(trainer, settings)
    if not main:
        return {}
    best = best_step(trainer)
    results: dict[str, Any] = {"best": best} if best else {}
    if base and trained:
        about = {"task": run.task, "split": run.evaluation_split, "problems": run.evaluation_problems}
        results |= {**about, "method": settings.dra.method, **compared(base, trained)}
        write_json(directory.evaluation, results)
    write_card(directory, settings, resolved, best)
    return {**results, "cost": meter.write()}


def check_directory(directory: RunDirectory, settings: Settings, resolved: str) -> None:
    """Refuse to mix two runs in one directory.

    Raises:
        UsageError: it holds a run that is neither to be gone on with nor to be overwritten, or one of other settings.
    """
    if directory.holds_run() and not settings.run.overwrite and not settings.run.resume:
        choice = "go on with --resume, start anew with --overwrite, or choose another --output_dir"
        raise UsageError(f"{directory.path} already holds a run; {choice}")
    if not settings.run.resume or not directory.config.exists():
        return
    before, now = yaml.safe_load(directory.config.read_text(encoding="utf-8")), yaml.safe_load(resolved)
    before["launched processes"] = read_json(directory.environment).get("processes", launched_processes())
    now["launched processes"] = launched_processes()
    changed = sorted(k for k in before.keys() | now.keys() if before.get(k) != now.get(k) and k not in NOT_COMPARED)
    if changed:
        shown = ", ".join(f"{k}: {before.get(k)!r} -> {now.get(k)!r}" for k in changed)
        raise UsageError(f"{directory.path} was run with other settings ({shown}); take the same, or --overwrite")


def build_trainer(settings: Settings) -> Any:
    """TRL's trainer with the adjustment and the task's data; `settings` stay as they are.

    Raises:
        UsageError: what a person can mend, in one line.
    """
    from transformers import AutoTokenizer, PrinterCallback, ProgressCallback
    from transformers.utils.logging import disable_progress_bar
    from trl import get_peft_config, get_quantization_config

    from dra_grpo.training.trainer import ExactValidation, SampledValidation

    disable_progress_bar()  # a bar for every checkpoint's shards would break up the run's own
    rewards, dra, model = reward_functions(settings), dra_config(settings), model_path(settings)
    chosen = settings.model
    for file in Path(model).glob("*.safetensors"):
        if fault := broken(file):
            raise UsageError(f"model {model!r} cannot be loaded: {fault}")
    with in_one_line(f"model {model!r} cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left", revision=chosen.model_revision or "main")
    args: Any = copy(settings.training)  # TRL writes into what it is given
    own = {"dtype": chosen.dtype, "attn_implementation": chosen.attn_implementation}
    args.model_init_kwargs = {**own, "revision": chosen.model_revision, **(args.model_init_kwargs or {})}
    with in_one_line("the trainer cannot be built", args.model_init_kwargs):
        data = training_data(settings, rewards, tokenizer)
        kind = ExactValidation if settings.run.task == "countdown" else SampledValidation
        adapted = {"quantization_config": get_quantization_config(chosen), "peft_config": get_peft_config(chosen)}
        trainer = kind(model, rewards, args, *data, processing_class=tokenizer, dra=dra, **adapted)
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.create_model_card = lambda *_, **__: None  # ours says more
    return trainer


def model_path(settings: Settings) -> str:
    """The policy to start from: the one named, or the one that comes with the task."""
    policy = settings.model.model_name_or_path or TASKS[settings.run.task].policy
    if policy is None:
        raise UsageError(f"task {settings.run.task!r} brings no policy; name one with --model_name_or_path")
    return model_folder(str(policy)) or str(policy)


def resolved_yaml(settings: Settings) -> str:
    """Every setting of ours and every TRL setting that was given, as YAML that `--config` takes again."""
    from trl import __version__

    own = (settings.run, settings.dra, *([settings.dataset] if settings.run.task == "dataset" else []))
    known = {**vars(settings.dataset), **vars(settings.model), **settings.training.to_dict()}
    values = {name: known[name] for name in settings.given & known.keys()} | {
        k: v for each in own for k, v in vars(each).items()
    }
    kept = {name: values[name] for name in values.keys() - NOT_WRITTEN}
    return f"# TRL settings not named here have trl {__version__}'s defaults.\n" + yaml.safe_dump(kept)


def evaluate(trainer: Any, settings: Settings) -> Reading | None:
    """The policy as it is now at every temperature, on the main process."""
    count, reading = settings.run.evaluation_problems, None
    if trainer.accelerator.is_main_process and count and settings.run.task == "countdown":
        model = trainer.accelerator.unwrap_model(trainer.model)
        size = settings.run.task_options.get("size", 3)
        reading = read_countdown(model, trainer.processing_class, settings.run.evaluation_split, count, size)
    trainer.accelerator.wait_for_everyone()
    return reading
