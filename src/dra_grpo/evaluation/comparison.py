"""Two evaluations compared problem by problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.detection import detection
from dra_grpo.evaluation.eval_directory import EvalDirectory
from dra_grpo.evaluation.figures import pass_at_k
from dra_grpo.evaluation.intervals import Interval, bootstrap_difference
from dra_grpo.evaluation.significance import holm, sign_flip_p
from dra_grpo.evaluation.two_levels import Arm, accuracy_interval, average_interval, constant_interval, spread
from dra_grpo.evaluation.two_levels import two_level_means as resampled_means
from dra_grpo.files import read_json

COMPARED_SETTINGS = ("template", "temperature", "top_p", "max_new_tokens")
Rows = list[dict[str, Any]]


class Pair(NamedTuple):
    """The rows of the problems that both evaluations have, in the same order."""

    first: Rows
    second: Rows


def load_results(path: str | Path) -> dict[str, Any]:
    """`results.json` of an evaluation, by its folder or its own name.

    Raises:
        UsageError: there is none.
    """
    file = Path(path) if Path(path).suffix == ".json" else EvalDirectory(path).results
    results = read_json(file)
    if not {"tasks", "model"} <= results.keys():
        raise UsageError(f"{file} holds no results; expected what `dra-grpo eval` wrote, by its folder or file")
    return results


def compare(
    first: dict[str, Any], second: dict[str, Any], metric: str = "avg", detect: float | None = None
) -> dict[str, Any]:
    """Second minus first for every benchmark that both have.

    Args:
        first, second: from `load_results`.
        metric: `avg`, `pass@K`, `distinct`, `truncated`, `tokens`, or an exact figure such as `exact_pass@1`.
        detect: a difference, as a share, to say what it takes to see it.

    Returns:
        `tasks` (task -> both values, `difference` with interval, `p` of the sign-flip test, `p_holm`), `average` where
        there are several, and `notes`.

    Raises:
        UsageError: no benchmark in common, problems or golds that differ under one id, or a metric that is not there.
    """
    names = [name for name in first["tasks"] if name in second["tasks"]]
    if not names:
        raise UsageError(
            f"no benchmark in common: {', '.join(first['tasks'])} on one side and {', '.join(second['tasks'])} "
            "on the other"
        )
    notes: list[str] = []
    pairs = {name: _pair(name, first["tasks"][name], second["tasks"][name], notes) for name in names}
    measured = {name: _measured(name, pair, metric) for name, pair in pairs.items()}
    tasks: dict[str, Any] = {}
    for name, pair in pairs.items():
        before, after = measured[name]
        tasks[name] = {
            "problems": len(before),
            "samples": [pair.first[0]["samples"], pair.second[0]["samples"]],
            "first": before.mean().item(),
            "second": after.mean().item(),
            "difference": _interval(pair, before, after, metric)._asdict(),
            "p": sign_flip_p(after - before),
        }
        if metric == "avg":
            parts = spread(_arms(pair))
            tasks[name] |= {"stderr": parts.stderr, "stderr_samples": parts.stderr_samples}
            if detect is not None:
                tasks[name]["detect"] = asdict(detection(detect, parts))
    for name, p in zip(tasks, holm([task["p"] for task in tasks.values()]), strict=True):
        tasks[name]["p_holm"] = p
    if detect is not None and metric != "avg":
        raise UsageError(f"--detect is about avg, not {metric}; leave --metric out")
    average = _average(pairs, measured, metric, tasks) if len(names) > 1 else None
    return {
        "first": first["model"],
        "second": second["model"],
        "metric": metric,
        "tasks": tasks,
        "average": average,
        "notes": notes,
    }


def _pair(name: str, first: dict[str, Any], second: dict[str, Any], notes: list[str]) -> Pair:
    before = {row["id"]: row for row in first["per_problem"]}
    after = {row["id"]: row for row in second["per_problem"]}
    shared = [id for id in before if id in after]
    if not shared:
        raise UsageError(f"{name}: the two sides share no problem id; were they evaluated on the same file?")
    for id in shared:
        if before[id]["digest"] != after[id]["digest"]:
            raise UsageError(f"{name}: problem {id!r} or its gold differs between the two; evaluate both on one file")
    if len(shared) < max(len(before), len(after)):
        notes.append(f"{name}: on the {len(shared)} problems that both have, of {len(before)} and {len(after)}")
    for setting in COMPARED_SETTINGS:
        if first[setting] != second[setting]:
            notes.append(f"{name}: {setting} differs, {first[setting]} and {second[setting]}")
    return Pair([before[id] for id in shared], [after[id] for id in shared])


def _measured(name: str, pair: Pair, metric: str) -> tuple[Tensor, Tensor]:
    """The metric of every problem on both sides, each (M,)."""
    counts = {row["samples"] for rows in pair for row in rows}
    if metric in GROW and len(counts) > 1:
        raise UsageError(
            f"{name}: {metric} grows with the samples, which are {min(counts)} and {max(counts)}; run `dra-grpo eval` "
            f"again with --samples {min(counts)}, which draws none anew"
        )
    return _values(name, pair.first, metric), _values(name, pair.second, metric)


def _values(name: str, rows: Rows, metric: str) -> Tensor:
    if metric.startswith("pass@") and metric[5:].isdecimal():
        k, fewest = int(metric[5:]), min(row["samples"] for row in rows)
        if not 1 <= k <= fewest:
            raise UsageError(f"{name}: {metric} needs 1 to {fewest} samples a problem, which is what there are")
        return pass_at_k(
            torch.tensor([row["correct"] for row in rows]), torch.tensor([row["samples"] for row in rows]), k
        )
    reader = METRICS.get(metric) or (lambda row: row[metric])
    if metric not in METRICS and not (metric.startswith("exact_") and all(metric in row for row in rows)):
        exact = sorted({key for row in rows for key in row if key.startswith("exact_")})
        raise UsageError(f"{name} has no {metric!r}; it has {', '.join([*METRICS, 'pass@K', *exact])}")
    return torch.tensor([reader(row) for row in rows], dtype=torch.float64)


METRICS: dict[str, Callable[[dict[str, Any]], float]] = {
    "avg": lambda row: row["correct"] / row["samples"],
    "distinct": lambda row: row["distinct"],
    "truncated": lambda row: row["truncated"] / row["samples"],
    "tokens": lambda row: row["tokens"] / row["samples"],
}
"""name -> what it is of one problem."""

GROW = ("distinct", "exact_distinct", "exact_coverage")
"""Metrics of a problem's n samples together: another n is another figure."""


def _arms(pair: Pair) -> list[Arm]:
    return [
        Arm(torch.tensor([row["correct"] for row in rows]), torch.tensor([row["samples"] for row in rows]), sign)
        for rows, sign in ((pair.second, 1), (pair.first, -1))
    ]


def _interval(pair: Pair, before: Tensor, after: Tensor, metric: str) -> Interval:
    if metric == "avg":
        return accuracy_interval(_arms(pair))
    difference = after - before
    if metric not in ("distinct", "tokens") and difference.min() == difference.max():
        return constant_interval(difference[0].item(), len(difference), lowest=-1.0)
    return bootstrap_difference(after, before)


def _average(
    pairs: dict[str, Pair], measured: dict[str, tuple[Tensor, Tensor]], metric: str, tasks: dict[str, Any]
) -> dict[str, Any]:
    """The mean over benchmarks, each counting the same."""
    differences = [after - before for before, after in measured.values()]
    weighted = torch.cat([one / len(one) / len(differences) for one in differences])
    if metric == "avg":
        resampled = [resampled_means(_arms(pair), seed=number) for number, pair in enumerate(pairs.values())]
    else:
        resampled = [_bootstrap(one, seed) for seed, one in enumerate(differences)]
    parts = [Interval(**task["difference"]) for task in tasks.values()]
    return {
        "first": _macro([before for before, _ in measured.values()]),
        "second": _macro([after for _, after in measured.values()]),
        "difference": average_interval(parts, resampled)._asdict(),
        "p": sign_flip_p(weighted),
    }


def _bootstrap(values: Tensor, seed: int, resamples: int = 10_000) -> Tensor:
    """Means of `resamples` draws of all problems with replacement."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(resamples, len(values), dtype=torch.float64)
    drawn = torch.randint(len(values), (resamples, len(values)), generator=generator)
    counts.scatter_add_(1, drawn, torch.ones_like(counts))
    return counts @ values / len(values)


def _macro(values: Sequence[Tensor]) -> float:
    return sum(one.mean().item() for one in values) / len(values)
