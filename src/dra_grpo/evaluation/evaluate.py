"""One evaluation from its settings to `results.json`: load, draw what is missing, grade, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from dra_grpo.cost import cost
from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.benchmark_questions import Questions, load_questions
from dra_grpo.evaluation.eval_directory import EvalDirectory
from dra_grpo.evaluation.eval_settings import EvalSettings
from dra_grpo.evaluation.exact_countdown import exact_countdown, exact_report
from dra_grpo.evaluation.figures import figures
from dra_grpo.evaluation.macro_average import macro_average
from dra_grpo.evaluation.progress import Progress
from dra_grpo.evaluation.question import Question
from dra_grpo.evaluation.sample_file import SampleFile
from dra_grpo.evaluation.sampler import plan
from dra_grpo.evaluation.sampler_choice import LazySampler
from dra_grpo.evaluation.scoring import Scored, score
from dra_grpo.evaluation.templates import TEMPLATES
from dra_grpo.files import read_json, write_json
from dra_grpo.grading.answers import read_gold


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
    for task, questions in loaded.items():
        _check_golds(task, questions.questions)
    directory = EvalDirectory(settings.out)
    with directory.locked():
        identity = settings.identity({task: questions.digest for task, questions in loaded.items()})
        directory.claim(identity)
        engine = LazySampler(settings)
        files = {task: _drawn(task, questions, settings, directory, engine) for task, questions in loaded.items()}
        exact = _exact(loaded, settings, identity, directory, engine)
        tasks = {task: _task(task, loaded[task], files[task], exact, settings, directory) for task in settings.tasks}
        results = {
            "model": settings.model,
            "engine": settings.engine,
            "seed": settings.seed,
            "notes": [note for questions in loaded.values() for note in questions.notes],
            "tasks": tasks,
            "average": macro_average(tasks),
            "cost": cost(
                sum(file.seconds for file in files.values()),
                sum(file.device_seconds for file in files.values()),
                settings.price,
            ),
        }
        write_json(directory.results, results)
    return results


def _check_golds(task: str, questions: Sequence[Question]) -> None:
    """Refuse before hours of sampling what could not be graded after them."""
    if task == "countdown":
        return
    require("math_verify", "grade", f"grading {task}")
    if all(read_gold(question.answer) is None for question in questions):
        raise UsageError(
            f"{task}: not one of {len(questions)} gold answers can be compared with, the first is "
            f"{questions[0].answer!r}; is it the right column?"
        )


def _drawn(
    task: str, questions: Questions, settings: EvalSettings, directory: EvalDirectory, engine: LazySampler
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
    loaded: dict[str, Questions],
    settings: EvalSettings,
    identity: dict[str, Any],
    directory: EvalDirectory,
    engine: LazySampler,
) -> dict[str, Any] | None:
    """Countdown's exact figures, from the folder where they are there for this model, problems and samples."""
    if "countdown" not in loaded or settings.engine != "transformers":
        return None
    file = directory.exact("countdown")
    questions, samples = loaded["countdown"].questions, settings.count("countdown")
    before = read_json(file)
    of = {name: identity[name] for name in ("model", "weights", "revision", "dtype")}
    of |= {"questions": identity["tasks"]["countdown"]["questions"], "count": len(questions), "samples": samples}
    if before.get("of") == of:
        return before
    exact = {"of": of, **exact_countdown(engine.sampler.model, engine.sampler.tokenizer, questions, samples)}
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
        comparable = decoding.temperature == 1 == decoding.top_p and result["template"] == "plain"
        result["exact"] = exact_report(exact, scored, comparable)
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
