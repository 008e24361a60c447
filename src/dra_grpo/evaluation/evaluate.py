"""One evaluation from its settings to `results.json`: load, draw what is missing, grade, count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from math import hypot
from typing import Any

import torch

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.cost import cost
from dra_grpo.evaluation.eval_directory import EvalDirectory, read_json, write_json
from dra_grpo.evaluation.eval_settings import EvalSettings
from dra_grpo.evaluation.exact_countdown import exact_countdown, exact_report
from dra_grpo.evaluation.figures import figures
from dra_grpo.evaluation.progress import Progress
from dra_grpo.evaluation.sample_file import SampleFile
from dra_grpo.evaluation.sampler import Sampler, plan
from dra_grpo.evaluation.scoring import Scored, score
from dra_grpo.evaluation.templates import TEMPLATES
from dra_grpo.evaluation.two_levels import Arm, accuracy_interval, percentile_interval, spread, two_level_means
from dra_grpo.tasks.benchmark_questions import Questions, load_questions


def evaluate(settings: EvalSettings) -> dict[str, Any]:
    """Draw every sample that the folder does not hold yet, grade all, and write and return the results.

    Raises:
        UsageError: data, model or server cannot be had, or the folder holds samples of other settings.
    """
    loaded = {
        task: load_questions(
            settings.benchmark(task), settings.data.get(task), settings.columns.get(task), settings.limit
        )
        for task in settings.tasks
    }
    directory = EvalDirectory(settings.out)
    with directory.locked():
        directory.claim(settings.identity({task: questions.digest for task, questions in loaded.items()}))
        engine = _Engine(settings)
        files = {task: _drawn(task, questions, settings, directory, engine) for task, questions in loaded.items()}
        exact = _exact(loaded, settings, directory, engine)
        tasks = {task: _task(task, loaded[task], files[task], exact, settings, directory) for task in settings.tasks}
        results = {
            "model": settings.model,
            "engine": settings.engine,
            "seed": settings.seed,
            "notes": [note for questions in loaded.values() for note in questions.notes],
            "tasks": tasks,
            "average": _average(tasks),
            "cost": cost(
                sum(file.seconds for file in files.values()),
                sum(file.device_seconds for file in files.values()),
                settings.price,
            ),
        }
        write_json(directory.results, results)
    return results


class _Engine:
    """The sampler, loaded when it is first needed: grading what is there already needs none."""

    def __init__(self, settings: EvalSettings):
        self.settings = settings
        self.clock = time.monotonic()
        self._sampler: Any = None

    @property
    def sampler(self) -> Any:
        if self._sampler is None:
            self._sampler = make_sampler(self.settings)
        return self._sampler

    def lap(self) -> float:
        """Seconds since the last lap, loading among them."""
        now = time.monotonic()
        passed, self.clock = now - self.clock, now
        return passed


def make_sampler(settings: EvalSettings) -> Sampler:
    """The engine that the settings name."""
    if settings.engine == "server":
        from dra_grpo.evaluation.server_sampler import ServerSampler

        return ServerSampler(
            settings.url or "",
            settings.model,
            concurrency=settings.batch_size,
            key_variable=settings.key_variable,
            devices=settings.devices or 0,
        )
    if settings.engine == "vllm":
        from dra_grpo.evaluation.vllm_sampler import VllmSampler

        return VllmSampler(
            settings.model, settings.devices or 1, settings.dtype, settings.revision, context=settings.context
        )
    from dra_grpo.evaluation.transformers_sampler import TransformersSampler

    sampler = TransformersSampler(settings.model, settings.batch_size, settings.dtype, settings.revision)
    if settings.devices is not None:
        sampler.devices = settings.devices
    return sampler


def _drawn(
    task: str, questions: Questions, settings: EvalSettings, directory: EvalDirectory, engine: _Engine
) -> SampleFile:
    """The task's samples, complete."""
    file = directory.samples(task)
    template = TEMPLATES[settings.template_of(task)]
    prompts = [template.prompt(question.problem) for question in questions.questions]
    requests = plan(questions.questions, prompts, settings.count(task), settings.seed, task)
    done = [request for request in requests if request.key in file.samples]
    if len(done) == len(requests):
        return file
    sampler = engine.sampler
    progress = Progress(task, len(done), len(requests))
    for samples in sampler.sample(requests, set(file.samples), settings.decoding(task)):
        file.append(samples, engine.lap(), sampler.devices)
        progress.update(len(samples), sum(sample.tokens for sample in samples))
    return file


def _exact(
    loaded: dict[str, Questions], settings: EvalSettings, directory: EvalDirectory, engine: _Engine
) -> dict[str, Any] | None:
    """Countdown's exact figures, from the folder where they are there for these problems and this many samples."""
    if "countdown" not in loaded or settings.engine != "transformers":
        return None
    file = directory.exact("countdown")
    questions, samples = loaded["countdown"].questions, settings.count("countdown")
    before = read_json(file)
    if before.get("samples") == samples and before.get("ids") == [question.id for question in questions]:
        return before
    exact = exact_countdown(engine.sampler.model, engine.sampler.tokenizer, questions, samples)
    write_json(file, exact)
    return exact


def _task(
    task: str,
    questions: Questions,
    file: SampleFile,
    exact: dict[str, Any] | None,
    settings: EvalSettings,
    directory: EvalDirectory,
) -> dict[str, Any]:
    scored = score(task, questions.questions, file.samples, settings.count(task))
    directory.write_groups(task, scored)
    able = [one for one in scored if one.correct is not None]
    if not able:
        raise UsageError(
            f"{task}: not one of {len(scored)} gold answers can be compared with; is it the right column?"
        )
    decoding = settings.decoding(task)
    result = {
        "problems": len(able),
        "samples": settings.count(task),
        "unscorable": [one.question.id for one in scored if one.correct is None],
        "template": settings.template_of(task),
        "temperature": decoding.temperature,
        "top_p": decoding.top_p,
        "max_new_tokens": decoding.max_new_tokens,
        "figures": figures(scored),
        "verdicts": dict(sorted(Counter(how for one in scored for how in one.hows).items())),
        "per_problem": [_row(one) for one in able],
        "cost": cost(file.seconds, file.device_seconds, settings.price),
    }
    if task == "countdown" and exact is not None:
        result["exact"] = exact_report(exact, scored, decoding.temperature == 1 == decoding.top_p)
        for name, values in exact.get("per_problem", {}).items():
            for row, value in zip(result["per_problem"], values, strict=True):
                row[f"exact_{name}"] = value
    return result


def _row(one: Scored) -> dict[str, Any]:
    return {
        "id": one.question.id,
        "digest": one.digest,
        "samples": len(one.samples),
        "correct": sum(one.correct or []),
        "distinct": len(one.votes),
        "truncated": sum(sample.truncated for sample in one.samples),
        "tokens": sum(sample.tokens for sample in one.samples),
    }


def _average(tasks: dict[str, Any]) -> dict[str, Any] | None:
    """The mean over tasks of their avg@n, each task counting the same whatever its size; None for one task."""
    if len(tasks) < 2:
        return None
    arms = [_arm(task["per_problem"]) for task in tasks.values()]
    resampled = torch.stack([two_level_means([one], seed=number) for number, one in enumerate(arms)]).mean(0)
    means = [(one.correct / one.samples).mean().item() for one in arms]
    parts = [spread([one]) for one in arms]
    value = sum(means) / len(means)
    interval = percentile_interval(value, resampled)
    # A task whose problems all came out alike has no spread to resample, only the bound of its own interval.
    constant = [accuracy_interval([one]) for one, part in zip(arms, parts, strict=True) if part.total == 0]
    low = value - hypot(value - interval.low, *((one.value - one.low) / len(arms) for one in constant))
    high = value + hypot(interval.high - value, *((one.high - one.value) / len(arms) for one in constant))
    known = [part.stderr_samples for part in parts if part.stderr_samples is not None]
    return {
        "tasks": list(tasks),
        "value": value,
        "low": low,
        "high": high,
        "stderr": sum(part.stderr**2 for part in parts) ** 0.5 / len(parts),
        "stderr_samples": sum(error**2 for error in known) ** 0.5 / len(parts) if len(known) == len(parts) else None,
    }


def _arm(rows: Sequence[dict[str, Any]]) -> Arm:
    return Arm(torch.tensor([row["correct"] for row in rows]), torch.tensor([row["samples"] for row in rows]))
