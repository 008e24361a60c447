"""One evaluation at several temperatures, and what they come to by one rule, the first sample greedy.

temperature-0/         greedy: one sample a problem, which never comes out otherwise
temperature-0.6/       an evaluation as `evaluate` leaves it, and so on
results.json           all of them, each benchmark as `aime24 T=0.6`, with the rule's metrics
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import torch

from dra_grpo.cost import cost, cost_line
from dra_grpo.evaluation.evaluate import engine_of, evaluate_problems, load
from dra_grpo.evaluation.one_rule import KS, one_rule
from dra_grpo.evaluation.results import AT, ProblemResults, Results, Table, TaskResults, estimates
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.evaluation.statistics import Estimate, pass_at_k
from dra_grpo.files import write_json

EXPLANATION = """In points, with 95% intervals. n: samples a problem; greedy has one. By the rule the first sample is
greedy, the others are at T: 1 - (1 - g)(1 - pass@(k - 1)) for k = 1, 2, 4, 8, 16 up to n + 1; shown are the last of
them and, where all are there, their mean. T is not chosen here: choose it on other problems than these."""


def evaluate_temperatures(settings: EvalSettings, temperatures: Sequence[float]) -> Results:
    """Evaluate at each temperature, in a folder of its own, and put the results together.

    What it costs is said before it starts, after each temperature for those that are left, and in the results' notes.

    Args:
        settings: of all; samples and temperature are of those above 0, and 0 is greedy with one sample a problem.
        temperatures: which.

    Raises:
        UsageError: what `evaluate` refuses.
    """
    parts = [
        replace(settings, temperature=t, out=settings.out / f"temperature-{t:g}") for t in sorted({*temperatures})
    ]
    parts = [part if part.temperature else replace(part, samples=1) for part in parts]
    loaded, engine, done = load(settings), engine_of(settings), {}
    asked = [sum(len(found.problems) * part.count(task) for task, found in loaded.items()) for part in parts]
    limit = max(settings.asked(task)["max_new_tokens"] for task in loaded)
    planned = ", ".join(f"{count:,} at {part.temperature:g}" for part, count in zip(parts, asked, strict=True))
    _say(f"samples: {planned} (0 is greedy, one a problem); at most {sum(asked) * limit:,} tokens, none drawn twice")
    for place, part in enumerate(parts):
        one = done[part.temperature] = evaluate_problems(part, loaded, engine)
        tokens, left = _tokens(one), sum(asked[place + 1 :])
        rest = f"; {left:,} samples are left: about {left / asked[place] * tokens:,.0f} tokens" if left else ""
        said = f"{asked[place]:,} samples, {tokens:,.0f} tokens, {cost_line(one.cost)}"
        _say(f"temperature {part.temperature:g}: {said}{rest}")
    spent = f"all temperatures: {sum(asked):,} samples, {sum(map(_tokens, done.values())):,.0f} tokens"
    results = together(done, spent)
    write_json(settings.out / "results.json", asdict(results))
    return results


def together(evaluations: Mapping[float, Results], *notes: str) -> Results:
    """Evaluations of one model as one, with the rule's metrics at each temperature above 0 where greedy is there.

    Args:
        evaluations: temperature -> its results, of the same benchmarks.
        notes: what has to be known besides.
    """
    every = list(evaluations.values())
    greedy, bills = evaluations.get(0.0), [one.cost for one in every]
    tasks = {
        f"{name}{AT}{t:g}": with_rule(one.tasks[name], greedy.tasks[name]) if greedy and t else one.tasks[name]
        for name in every[0].tasks
        for t, one in evaluations.items()
    }
    seconds, hours = (sum(bill[key] for bill in bills) for key in ("seconds", "gpu_hours"))
    bill = cost(seconds, 3600 * hours, bills[0]["price_per_gpu_hour"])
    said = dict.fromkeys([*(note for one in every for note in one.notes), *notes])
    return replace(every[0], notes=list(said), tasks=tasks, average=None, cost=bill)


def with_rule(task: TaskResults, greedy: TaskResults) -> TaskResults:
    """A benchmark at one temperature with `rule_metrics` beside its own."""
    first = {row.id: row for row in greedy.per_problem}
    rows = [replace(row, metrics=row.metrics | rule_metrics(first[row.id], row)) for row in task.per_problem]
    new = [name for name in rows[0].metrics if name not in task.metrics]
    return replace(task, per_problem=rows, metrics=task.metrics | estimates(rows, new))


def rule_metrics(greedy: ProblemResults, sampled: ProblemResults) -> dict[str, float]:
    """A problem by the rule: 1 − (1 − g)(1 − pass@(k − 1)), unbiased, for each k of `KS` up to n + 1.

    Args:
        greedy: one sample at temperature 0.
        sampled: n samples at T.

    Returns:
        `rule_pass@k`, and `rule_mean` where every k is there; `exact_rule_…` where there are exact results.

    >>> one, other = (ProblemResults("a", "", n, c, {}) for n, c in ((1, 0), (4, 2)))
    >>> {name: round(value, 4) for name, value in rule_metrics(one, other).items()}
    {'rule_pass@1': 0.0, 'rule_pass@2': 0.5, 'rule_pass@4': 1.0}
    """
    wrong = 1 - greedy.correct / greedy.samples
    right = {k: pass_at_k(sampled.correct, sampled.samples, k - 1) for k in KS if k <= sampled.samples + 1}
    found = {f"rule_pass@{k}": 1 - wrong * (1 - value) for k, value in right.items()}
    if len(found) == len(KS):
        found["rule_mean"] = sum(found.values()) / len(KS)
    if "exact_pass@1" in sampled.metrics:
        exact = [torch.tensor(one.metrics["exact_pass@1"], dtype=torch.float64) for one in (greedy, sampled)]
        found |= {f"exact_rule_{name}": value.item() for name, value in one_rule(*exact).items()}
    return found


def temperatures_table(results: Results) -> Table:
    """Each benchmark over the temperatures, sampled and, for Countdown, exact: pass@1, pass@n, and by the rule."""
    rows: list[list[object]] = []
    for label, task in results.tasks.items():
        name, _, temperature = label.partition(AT)
        best = max((k for k in KS if f"rule_pass@{k}" in task.metrics), default=None)
        for kind, one, k in (("", f"avg@{task.samples}", best), ("exact_", "exact_pass@1", KS[-1])):
            if one in task.metrics:
                many = f"{kind}pass@{task.samples}" if task.samples > 1 else ""
                shown = (one, many, f"{kind}rule_pass@{k}", f"{kind}rule_mean")
                title = f"{name}, exact" if kind else name
                rows.append([title, temperature, task.samples, *(_cell(task.metrics.get(x)) for x in shown)])
    return ["Tasks", "T", "n", "pass@1", "pass@n", "pass@k, rule", "mean, rule"], rows


def _tokens(results: Results) -> float:
    return sum(row.samples * row.metrics["tokens"] for task in results.tasks.values() for row in task.per_problem)


def _cell(one: Estimate | None) -> str:
    return f"{100 * one.value:.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]" if one else ""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
