"""What an evaluation gives, and how it is put into words."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import hypot, isnan, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from dra_grpo.cost import cost_line
from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import PAPER_FIVE
from dra_grpo.evaluation.scoring import Scored
from dra_grpo.evaluation.statistics import Estimate, bounds, estimate, majority, pass_at_k
from dra_grpo.files import read_json

Table = tuple[list[str], list[list[object]]]
"""A header and rows."""

PUBLISHED = Path(__file__).with_name("published.json")
"""Averages over AIME24, AMC23, MATH-500, Minerva and OlympiadBench of 1.5B models: model, points, samples a problem
(null: not said), source."""

AT = " T="
"""Between a benchmark's name and the temperature, where results are of several."""

ONE_SAMPLE_STDERR = 2.06 / sqrt(2)
"""Standard error in points of an average of the five with one sample a problem, for these very problems: that of the
difference of two such models is 2.06."""


@dataclass(frozen=True)
class ProblemResults:
    """One problem's samples, counted.

    Attributes:
        id: the problem's.
        digest: of the problem and its gold.
        samples: how many, n.
        correct: how many are right.
        metrics: name -> what it is of this problem.
        cluster: problems with the same one are not independent; None: this one is.
    """

    id: str
    digest: str
    samples: int
    correct: int
    metrics: dict[str, float]
    cluster: str | None = None


@dataclass(frozen=True)
class TaskResults:
    """The results of one benchmark.

    Attributes:
        problems: how many could be scored.
        samples: a problem, n.
        unscorable: ids of problems whose gold allows no comparison; they count nowhere.
        asked: how it was asked and sampled: template, temperature, top_p, max_new_tokens; and extract.
        metrics: name -> estimate over problems.
        stderr_samples: of avg@n for these very problems, from sampling alone; None with one sample a problem.
        grades: how the grader came to a grade -> how many samples.
        per_problem: one for each problem that could be scored.
    """

    problems: int
    samples: int
    unscorable: list[str]
    asked: dict[str, Any]
    metrics: dict[str, Estimate]
    stderr_samples: float | None
    grades: dict[str, int]
    per_problem: list[ProblemResults]

    @property
    def accuracy(self) -> Estimate:
        """avg@n."""
        return self.metrics[f"avg@{self.samples}"]


@dataclass(frozen=True)
class Results:
    """The results of an evaluation.

    Attributes:
        model, engine, seed: what was sampled, and how.
        notes: what has to be known about the data.
        tasks: benchmark -> its results.
        average: of avg@n over benchmarks, each counting the same; None for one.
        cost: of all samples.
    """

    model: str
    engine: str
    seed: int
    notes: list[str]
    tasks: dict[str, TaskResults]
    average: Estimate | None
    cost: dict[str, Any]


def load_results(path: str | Path) -> Results:
    """The results of an evaluation, by its folder or its `results.json`.

    Raises:
        UsageError: there are none.
    """
    file = Path(path) if Path(path).suffix == ".json" else Path(path) / "results.json"
    stored = read_json(file)
    try:
        for task in stored["tasks"].values():
            task["metrics"] = {name: Estimate(**one) for name, one in task["metrics"].items()}
            task["per_problem"] = [ProblemResults(**row) for row in task["per_problem"]]
        stored["tasks"] = {name: TaskResults(**task) for name, task in stored["tasks"].items()}
        return Results(**stored)
    except (KeyError, TypeError) as error:
        expected = "what `dra-grpo eval` writes; the same command writes it again from its samples"
        raise UsageError(f"{file} holds no results of this version, expected {expected}") from error


def curve_points(samples: int) -> list[int]:
    """The k of a pass@k curve: powers of two up to n, and n.

    >>> curve_points(12)
    [1, 2, 4, 8, 12]
    """
    return sorted({2**power for power in range(samples.bit_length())} | {samples})


def problem_metrics(one: Scored, rng: np.random.Generator) -> dict[str, float]:
    """Every metric of one problem whose gold allows a comparison; a mean over problems is the benchmark's.

    Args:
        one: the problem and its samples.
        rng: draws the votes of maj@k, where an answer is worth the share of right ones among the samples that gave it.
    """
    n, right, votes = len(one.samples), one.correct or [], one.votes
    found = {f"avg@{n}": sum(right) / n}
    found |= {f"pass@{k}": pass_at_k(sum(right), n, k) for k in curve_points(n)[1:]}
    if one.solutions is None:
        elected = Counter(answer for answer, good in zip(one.answers, right, strict=True) if good)
        worth = [elected[answer] / count for answer, count in votes.items()]
        blank = n - votes.total()
        found |= {f"maj@{k}": majority([*votes.values()], worth, blank, k, rng) for k in curve_points(n)[1:]}
    return found | {
        "coverage": float(any(right)) if one.solutions is None else len(votes) / one.solutions,
        "truncated": sum(sample.truncated for sample in one.samples) / n,
        "distinct_answers" if one.solutions is None else "distinct": len(votes),
        "tokens": sum(sample.tokens for sample in one.samples) / n,
    }


def clusters(rows: Sequence[ProblemResults]) -> list[str]:
    """The cluster of each problem, or its id: `estimate`'s labels."""
    return [row.cluster or row.id for row in rows]


def estimates(rows: Sequence[ProblemResults], names: Iterable[str]) -> dict[str, Estimate]:
    """Metrics of problems -> those of their benchmark."""
    labels = clusters(rows)
    return {name: estimate([row.metrics[name] for row in rows], bounds(name), labels) for name in names}


def results_table(results: Results) -> Table:
    """Every metric of every task, with its interval, its problems and its samples."""
    rows = [
        [name, metric, *_cells(one), task.problems, "all" if metric.startswith("exact_") else task.samples]
        for name, task in results.tasks.items()
        for metric, one in task.metrics.items()
    ]
    if results.average:
        rows.append([f"average of {len(results.tasks)}", "avg", *_cells(results.average), "", ""])
    return ["Tasks", "Metric", "Value", "Stderr", "95% interval", "Problems", "Samples"], rows


def published_table(results: Results) -> Table | None:
    """The DRA paper's table and its re-runs, with this model's row; None unless all five benchmarks were run."""
    if not set(PAPER_FIVE) <= set(results.tasks):
        return None
    five = [results.tasks[name] for name in PAPER_FIVE]
    errors = [task.stderr_samples or nan for task in five]
    average = 100 * sum(task.accuracy.value for task in five) / 5
    samples = " ".join(str(task.samples) for task in five)
    rows: list[list[object]] = [[results.model, f"{average:.1f}", _points(20 * hypot(*errors)), samples, "this run"]]
    for one in json.loads(PUBLISHED.read_text(encoding="utf-8")):
        error = ONE_SAMPLE_STDERR / sqrt(one["samples"] or nan)
        rows += [[one["model"], f"{one['points']:.1f}", _points(error), one["samples"] or "not said", one["source"]]]
    return ["Model", "Average of five", "± (samples alone, 95%)", "Samples", "Source"], rows


def remarks(results: Results) -> list[str]:
    """What has to be known beside the metrics: data, unscorable golds, truncation, the cross-check, the cost."""
    notes = [*results.notes]
    for name, task in results.tasks.items():
        extract, cut = task.asked["extract"], task.metrics["truncated"].value
        unboxed = task.grades.get("unboxed", 0) / task.problems / task.samples
        boxless = f"{unboxed:.1%} of the samples have no answer in a box and count as wrong; see --extract lenient"
        said = [
            (cut, f"{cut:.1%} of the samples met the limit of {task.asked['max_new_tokens']} tokens"),
            (extract != "boxed", f"answers were read with --extract {extract}, which takes more than a box"),
            (extract == "boxed" and unboxed > 0.1, boxless),
        ]
        notes += [f"{name}: {text}" for holds, text in said if holds]
    return [*(f"note: {note}" for note in notes), f"sampling took {cost_line(results.cost)}"]


def _cells(one: Estimate) -> list[object]:
    """Value, standard error, interval; four digits of a share, two of anything larger."""
    digits = 4 if max(abs(one.value), abs(one.high)) <= 1 else 2
    value, stderr, low, high = (f"{number:.{digits}f}" for number in (one.value, one.stderr, one.low, one.high))
    return [value, stderr, f"[{low}, {high}]"]


def _points(stderr: float) -> str:
    return "" if isnan(stderr) else f"± {1.96 * stderr:.1f}"
