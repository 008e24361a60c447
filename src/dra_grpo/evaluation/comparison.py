"""Two evaluations compared problem by problem, and how that is put into words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dra_grpo.errors import UsageError
from dra_grpo.evaluation import statistics
from dra_grpo.evaluation.results import AT, ProblemResults, Results, Table, TaskResults, clusters
from dra_grpo.evaluation.statistics import Detection, Estimate, cluster_sums, estimate, pass_at_k, sign_flip_p

GROW = ("coverage", "distinct", "distinct_answers", "exact_distinct", "exact_coverage")
"""Metrics of a problem's n samples together: another n is another metric."""

EXPLANATION = """Samples: problems x samples a problem of either side. Difference: second minus first, paired by
problem; its interval is for other problems of the kind and other samples. p: two-sided sign-flip permutation test over
problems; Holm's: over the benchmarks listed. ± sampling: half the 95% interval for these very problems. None of them
speaks of other training seeds."""


@dataclass(frozen=True)
class Difference:
    """Second minus first on one benchmark, or over all of them.

    Attributes:
        problems: that both sides have.
        samples: a problem, on both sides.
        first, second: the means.
        difference: of the means, paired by problem.
        p: of the sign-flip test.
        p_holm: corrected for the number of benchmarks; None for the average.
        stderr_samples: of the difference for these very problems, where it is of avg and the samples tell.
        detect: what it takes to see a difference of the size asked about.
    """

    problems: int
    samples: list[int]
    first: float
    second: float
    difference: Estimate
    p: float
    p_holm: float | None = None
    stderr_samples: float | None = None
    detect: Detection | None = None


@dataclass(frozen=True)
class Comparison:
    """Two evaluations side by side.

    Attributes:
        metric: what is compared.
        tasks: benchmark -> difference.
        average: over benchmarks, each counting the same; None for one.
        notes: what differs besides.
    """

    metric: str
    tasks: dict[str, Difference]
    average: Difference | None
    notes: list[str]

    @property
    def unit(self) -> int:
        """100 where the metric is a share, shown in points."""
        return 1 if statistics.bounds(self.metric) is None else 100


def compare(first: Results, second: Results, metric: str = "avg", detect: float | None = None) -> Comparison:
    """Second minus first for every benchmark that both have.

    Args:
        first, second: from `load_results`.
        metric: `avg`, `pass@K`, `distinct`, `truncated`, `tokens`, or an exact one such as `exact_pass@1`.
        detect: a difference, as a share, to say what it takes to see it.

    Raises:
        UsageError: no benchmark in common, problems or golds that differ under one id, or a metric that is not there.
    """
    names = [name for name in first.tasks if name in second.tasks]
    if not names:
        raise UsageError(f"no benchmark in common: {', '.join(first.tasks)} and {', '.join(second.tasks)}")
    if detect is not None and metric != "avg":
        raise UsageError(f"--detect is about avg, not {metric}; leave --metric out")
    notes = [
        f"{name}: in one of the two only"
        for name in {**first.tasks, **second.tasks}
        if AT in name and name not in names
    ]
    pairs = {name: _pair(name, first.tasks[name], second.tasks[name], notes) for name in names}
    values = {}
    for name, pair in pairs.items():
        try:
            values[name] = _values(name, pair, metric)
        except UsageError as error:  # of several temperatures, greedy decoding lacks what needs more than one sample
            if AT not in name:
                raise
            notes.append(str(error))
    if not values:
        raise UsageError(notes[-1])
    exact = metric.startswith("exact_")  # two models alike on every problem are alike, whatever the problems
    labels = {name: clusters(pairs[name][0]) for name in values}
    moved = {name: cluster_sums(after - before, labels[name]) for name, (before, after) in values.items()}
    p_values = [sign_flip_p(one) for one in moved.values()]
    ends = None if exact or statistics.bounds(metric) is None else (-1.0, 1.0)
    tasks = {}
    for (name, (before, after)), p, p_holm in zip(values.items(), p_values, statistics.holm(p_values), strict=True):
        counts = [([row.correct for row in side], [row.samples for row in side]) for side in reversed(pairs[name])]
        noise = statistics.spread(*counts) if metric == "avg" else None
        means = before.mean().item(), after.mean().item(), estimate(after - before, ends, labels[name])
        samples = [side[0].samples for side in pairs[name]]
        need = None if detect is None else statistics.detection(detect, noise)
        tasks[name] = Difference(len(before), samples, *means, p, p_holm, noise and noise.stderr, need)
    return Comparison(metric, tasks, _average(tasks, moved), notes)


def _pair(name: str, first: TaskResults, second: TaskResults, notes: list[str]) -> list[list[ProblemResults]]:
    """The rows of the problems that both have, in the same order."""
    before, after = ({row.id: row for row in side.per_problem} for side in (first, second))
    shared = [id for id in before if id in after]
    if not shared:
        raise UsageError(f"{name}: the two sides share no problem id; were they evaluated on the same file?")
    for id in shared:
        if before[id].digest != after[id].digest:
            raise UsageError(f"{name}: problem {id!r} or its gold differs between the two; evaluate both on one file")
    if len(shared) < max(len(before), len(after)):
        notes.append(f"{name}: on the {len(shared)} problems that both have, of {len(before)} and {len(after)}")
    for setting, one in first.asked.items():
        if one != (other := second.asked[setting]):
            notes.append(f"{name}: {setting} differs, {one} and {other}")
    return [[side[id] for id in shared] for side in (before, after)]


def _values(name: str, pair: Sequence[Sequence[ProblemResults]], metric: str) -> list[np.ndarray]:
    """The metric of every problem on both sides, each (M,), if their numbers of samples allow it."""
    few, many = sorted(side[0].samples for side in pair)
    if metric in GROW and few < many:
        found = f"{metric} grows with the samples, which are {few} and {many}"
        raise UsageError(f"{name}: {found}; run `dra-grpo eval` again with --samples {few}, which draws none anew")
    if metric.startswith("pass@") and metric[5:].isdecimal():
        if not 1 <= int(metric[5:]) <= few:
            raise UsageError(f"{name}: {metric} needs 1 to {few} samples a problem, which is what there are")
        return [np.array([pass_at_k(row.correct, row.samples, int(metric[5:])) for row in side]) for side in pair]
    names = [f"avg@{side[0].samples}" if metric == "avg" else metric for side in pair]
    for side, own in zip(pair, names, strict=True):
        if own not in side[0].metrics:
            raise UsageError(f"{name} has no {metric!r}; it has avg, pass@K, {', '.join(side[0].metrics)}")
    return [np.array([row.metrics[own] for row in side]) for side, own in zip(pair, names, strict=True)]


def _average(tasks: dict[str, Difference], moved: dict[str, np.ndarray]) -> Difference | None:
    """Over benchmarks, each counting the same; the test weighs each problem as the mean does.

    None of one benchmark, nor where one stands there at several temperatures.
    """
    count = len(tasks)
    if count < 2 or len({name.partition(AT)[0] for name in tasks}) < count:
        return None
    weighted = np.concatenate([one / tasks[name].problems / count for name, one in moved.items()])
    first, second = (sum(getattr(task, side) for task in tasks.values()) / count for side in ("first", "second"))
    difference = statistics.average([task.difference for task in tasks.values()])
    return Difference(
        sum(task.problems for task in tasks.values()), [], first, second, difference, sign_flip_p(weighted)
    )


def comparison_table(comparison: Comparison) -> Table:
    """First, second and their difference for every benchmark."""
    rows = [_row(name, task, comparison.unit) for name, task in comparison.tasks.items()]
    if comparison.average:
        rows.append(_row(f"average of {len(rows)}", comparison.average, comparison.unit))
    header = ["Tasks", "Samples", "First", "Second", "Difference", "95% interval", "p", "Holm's p"]
    return [*header, "± sampling"], rows


def needed(comparison: Comparison) -> list[str]:
    """What it takes to see a difference of the size asked about, a line for each benchmark."""
    return [
        f"{name}: for a difference of {100 * need.size:g} points (80% power, 5% level) each model needs "
        f"{need.samples_fixed} samples a problem on these problems, {need.samples_other or 'no number'} on others of "
        f"the kind, or {need.problems} problems"
        for name, need in ((name, task.detect) for name, task in comparison.tasks.items())
        if need
    ]


def _row(name: str, task: Difference, unit: int) -> list[object]:
    digits = 1 if unit == 100 else 2
    first, second = (f"{unit * value:.{digits}f}" for value in (task.first, task.second))
    ends = (task.difference.value, task.difference.low, task.difference.high)
    value, low, high = (f"{unit * number:+.{digits}f}" for number in ends)
    noise = "" if task.stderr_samples is None else f"± {unit * 1.96 * task.stderr_samples:.{digits}f}"
    p_holm = "" if task.p_holm is None else f"{task.p_holm:.4f}"
    samples = f"{task.problems} x {'/'.join(map(str, task.samples))}" if task.samples else ""
    return [name, samples, first, second, value, f"[{low}, {high}]", f"{task.p:.4f}", p_holm, noise]
