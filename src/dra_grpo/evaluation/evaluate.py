"""One evaluation from its settings to `results.json`: load, draw what is missing, grade, count."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from dra_grpo.cost import cost
from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.benchmarks import BENCHMARKS, TEMPLATES, Problem, Problems, load_problems
from dra_grpo.evaluation.exact import exact_probabilities, exact_results, number_sets
from dra_grpo.evaluation.results import ProblemResults, Results, TaskResults, estimates, problem_metrics
from dra_grpo.evaluation.samples import SampleFile, all_requests, claim, samples_file
from dra_grpo.evaluation.scoring import score
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.evaluation.statistics import average, spread
from dra_grpo.files import locked, write_json, write_json_lines
from dra_grpo.grading.answers import check_golds
from dra_grpo.registry import load_path
from dra_grpo.tasks import countdown


def evaluate(settings: EvalSettings) -> Results:
    """Draw every sample that the folder does not hold yet, grade all, and write and return the results.

    Raises:
        UsageError: data, model or server cannot be had, or the folder holds samples of other settings.
    """
    return evaluate_problems(settings, load(settings), engine_of(settings))


def load(settings: EvalSettings) -> dict[str, Problems]:
    """task -> its problems, whose golds can be graded."""
    loaded = {
        task: load_problems(BENCHMARKS[task], settings.data.get(task), settings.columns_of(task), settings.limit)
        for task in settings.tasks
    }
    for task, found in loaded.items():
        found.notes.extend([] if task == "countdown" else _check_golds(task, found.problems))
    return loaded


def engine_of(settings: EvalSettings) -> Callable[[], Any]:
    """What loads the engine when it is first asked for: grading what is there already needs none."""
    return cache(
        lambda: load_path(f"{__package__}.{settings.engine}_sampler:{settings.engine.title()}Sampler")(settings)
    )


def evaluate_problems(settings: EvalSettings, loaded: Mapping[str, Problems], engine: Callable[[], Any]) -> Results:
    """`evaluate` with problems and engine at hand, which evaluations at several temperatures share."""
    notes = [note for found in loaded.values() for note in found.notes]
    with locked(settings.out, "evaluation", "--out"):
        asked = {task: {"problems": found.digest, **settings.asked(task)} for task, found in loaded.items()}
        claim(settings.out, settings.identity, asked)
        files = {task: _drawn(task, found.problems, settings, engine) for task, found in loaded.items()}
        tasks = {}
        for task, (problems, *_) in loaded.items():
            exact: dict[str, Tensor] = {}
            if task == "countdown" and settings.engine == "transformers":
                asked_of = [countdown.Problem.from_prompt(problem.text) for problem in problems]
                temperature, top_p = settings.decoding(task).temperature, settings.decoding(task).top_p
                try:
                    if top_p < 1:
                        raise UsageError(f"they are of all tokens, and top_p is {top_p:g}; take --top-p 1")
                    sampled = engine().model, engine().tokenizer, asked_of
                    accepted = exact_probabilities(*sampled, temperatures=(temperature,))
                    exact = exact_results(accepted, settings.count(task), temperature=temperature)
                except UsageError as error:
                    notes.append(f"{task}: no exact results: {error}")
            tasks[task] = _task(task, problems, files[task], exact, settings)
        over_all = average([task.accuracy for task in tasks.values()]) if len(tasks) > 1 else None
        seconds = sum(file.seconds for file in files.values())
        bill = cost(seconds, sum(file.device_seconds for file in files.values()), settings.price)
        results = Results(settings.model, settings.engine, settings.seed, notes, tasks, over_all, bill)
        write_json(settings.out / "results.json", asdict(results))
    return results


def _check_golds(task: str, problems: Sequence[Problem]) -> list[str]:
    """What is wrong with a task's golds; refuses before hours of sampling what could not be graded after them."""
    require("math_verify", "grade", f"grading {task}")
    report = check_golds([problem.gold for problem in problems])
    if report.useless:
        raise UsageError(f"{task}: {report.message}; is it the right column? name another with --columns answer=NAME")
    return [f"{task}: {report.message}"] if report.message else []


def _drawn(task: str, problems: Sequence[Problem], settings: EvalSettings, engine: Callable[[], Any]) -> SampleFile:
    """The task's samples, complete."""
    file = SampleFile(samples_file(settings.out, task))
    template = TEMPLATES[settings.asked(task)["template"]]
    requests = all_requests(problems, template, settings.count(task), settings.seed, task)
    missing = [request for request in requests if (request.id, request.number) not in file.samples]
    if not missing:
        return file
    last = time.monotonic()  # loading counts
    sampler = engine()
    done = shown = len(requests) - len(missing)
    for samples in sampler.sample(missing, settings.decoding(task)):
        now = time.monotonic()
        file.append(samples, now - last, sampler.devices)
        last, done = now, done + len(samples)
        if 10 * (done - shown) >= len(requests) or done == len(requests):
            shown = done
            print(f"{task}: {done} of {len(requests)} samples", file=sys.stderr, flush=True)
    return file


def _task(
    task: str, problems: Sequence[Problem], file: SampleFile, exact: dict[str, Tensor], settings: EvalSettings
) -> TaskResults:
    """Grade and count one benchmark, and write its saved groups."""
    scored = score(task, problems, file.samples, settings.count(task), settings.extract)
    write_json_lines(settings.out / "groups" / f"{task}.jsonl", ({**one.group, "source": task} for one in scored))
    rng, rows = np.random.default_rng(0), []
    for place, one in enumerate(scored):
        if one.correct is not None:
            own = problem_metrics(one, rng) | {f"exact_{name}": values[place].item() for name, values in exact.items()}
            counts = len(one.samples), sum(one.correct)
            rows.append(ProblemResults(one.problem.id, one.digest, *counts, own, _cluster(task, one.problem)))
    noise = spread(([row.correct for row in rows], [row.samples for row in rows]))
    return TaskResults(
        problems=len(rows),
        samples=settings.count(task),
        unscorable=[one.problem.id for one in scored if one.correct is None],
        asked={**settings.asked(task), "extract": settings.extract},
        metrics=estimates(rows, rows[0].metrics),
        stderr_samples=noise and noise.stderr,
        grades=dict(sorted(Counter(how for one in scored for how in one.hows).items())),
        per_problem=rows,
    )


def _cluster(task: str, problem: Problem) -> str:
    """What a problem shares with those that are not independent of it: Countdown's set of numbers, else its id."""
    if task != "countdown":
        return problem.id
    return ",".join(map(str, number_sets([countdown.Problem.from_prompt(problem.text)])[0]))
