"""Experiments: a question, its arms, the runs they share, and tables with intervals over runs and problems."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import hypot, nan, sqrt
from pathlib import Path
from typing import Any

import numpy as np

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.exact import number_sets
from dra_grpo.evaluation.one_rule import KS
from dra_grpo.evaluation.statistics import Estimate, estimate
from dra_grpo.lab.runs import VALIDATION, Job, Run, ledger, problem_set


@dataclass(frozen=True)
class Arm:
    """One row of an experiment's table.

    Attributes:
        name: what the table calls it.
        settings: what is trained, over the recipe `countdown`; None: the base policy.
        policy: which weights of the run: "final", "best", or an average such as "merge 0.5".
    """

    name: str
    settings: Mapping[str, Any] | None
    policy: str = "final"

    def policy_of(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """The measured weights in a ledger's line; where the best checkpoint is the last, "best" is "final"."""
        policies = line["policies"]
        name = "base" if self.settings is None else self.policy
        return policies["final"] if name == "best" and name not in policies else policies[name]


@dataclass(frozen=True)
class Experiment:
    """A question about the methods, and the runs that answer it.

    Attributes:
        name: in `dra-grpo lab list`.
        question: one line.
        arms: the rows; experiments share runs where their arms do.
        against: the arm from which the others' differences are taken.
        seeds: of the training, unless the command says otherwise.
        bases: pretraining seeds of the base policies.
        sets: problems that policies are measured on: T* is chosen on the first, the table reads the last.
        analyse: what else to do once the runs are there: given `Place`, seeds and bases, it gives the lines to print.
    """

    name: str
    question: str | None
    arms: tuple[Arm, ...] = ()
    against: str | None = None
    seeds: int = 3
    bases: tuple[int, ...] = (0,)
    sets: tuple[str, ...] = (VALIDATION,)
    analyse: Callable[[Any, int, Sequence[int]], list[str]] | None = None

    def runs(self, seeds: int, bases: Sequence[int]) -> list[Run]:
        """Every run once, those of one seed of all arms before the next seed's; a base policy has one."""
        found = {
            run.key: run
            for seed in range(seeds)
            for base in bases
            for arm in self.arms
            for run in [Run(arm.settings, base, 0 if arm.settings is None else seed)]
        }
        return list(found.values())


@dataclass(frozen=True)
class Place:
    """Where an experiment keeps things.

    Attributes:
        out: the folder of `runs.jsonl` and of the experiments' tables and plots.
        work: the folder of the runs' own folders.
    """

    out: Path
    work: Path

    @property
    def ledger(self) -> Path:
        """The JSON lines of all runs."""
        return self.out / "runs.jsonl"

    def do(self, runs: Sequence[Run], sets: tuple[str, ...], jobs: int) -> None:
        """Do the runs that the ledger lacks, `jobs` at a time, each in a process with its share of the cores.

        Raises:
            UsageError: a run failed; the others are still done. What it printed stands in its `log` file.
        """
        done = ledger(self.ledger)
        wanted = [job for run in runs if not (job := Job(run, sets, self.ledger, self.work)).is_done(done)]
        print(f"{len(runs)} runs, {len(runs) - len(wanted)} of them done", file=sys.stderr, flush=True)
        threads = max(1, (os.cpu_count() or 1) // jobs)
        with ThreadPoolExecutor(jobs) as pool:
            failed = [log for log in pool.map(lambda job: _in_a_process(job, threads), wanted) if log]
        if failed:
            raise UsageError(f"{len(failed)} of {len(wanted)} runs failed; see {failed[0]}; the same command goes on")


def _in_a_process(job: Job, threads: int) -> Path | None:
    """Do one job; its log where it failed."""
    log = job.work / f"{job.run.key}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as lines:
        command = [sys.executable, "-m", "dra_grpo.lab.runs", job.dumps()]
        process = subprocess.run(
            command, stdout=lines, stderr=lines, env=os.environ | {"OMP_NUM_THREADS": str(threads)}
        )
    state = "done" if process.returncode == 0 else f"failed, see {log}"
    print(f"{job.run.key} {_words(job.run)}: {state}", file=sys.stderr, flush=True)
    return log if process.returncode else None


def _words(run: Run) -> str:
    settings = "" if run.settings is None else ", ".join(f"{name} {value}" for name, value in run.settings.items())
    return f"{settings or 'nothing trained'}, base {run.base}, seed {run.seed}"


@dataclass(frozen=True)
class Read:
    """An arm's policies on one set of problems: R runs of M problems.

    Attributes:
        values: figure -> (R, M), or (R, 1) where only the mean is kept.
        temperatures: T* of each run.
        runs: (base, seed) of each.
        trained: whether they are; else each base policy has one run.
        points: the usual reading, T -> mean pass@1 and pass@16 over runs.
    """

    values: dict[str, np.ndarray]
    temperatures: list[float]
    runs: list[tuple[int, int]]
    trained: bool
    points: dict[float, tuple[float, float]] = field(default_factory=dict)

    def of(self, run: tuple[int, int]) -> dict[str, np.ndarray] | None:
        """Figure -> (M,) of one run; None where it is not there."""
        run = run if self.trained else (run[0], 0)
        return {n: v[self.runs.index(run)] for n, v in self.values.items()} if run in self.runs else None


FIGURES = ("greedy", "pass@16", "mean", "distinct", "pass@1 at T = 1", "pass@16 at T = 1", "sunk")
"""The columns of a table. "sunk": problems whose p at temperature 1 is below .05."""


def read_arm(arm: Arm, runs: Sequence[Run], done: Mapping[str, Any], name: str) -> Read | None:
    """The arm's figures on the set `name`, from the ledger; None where no run of it is done."""
    found = [(run, entry) for run in runs if (line := done.get(run.key)) if (entry := arm.policy_of(line).get(name))]
    if not found:
        return None
    entries = [entry for _, entry in found]
    greedy = np.array([[int(right) for right in entry["greedy"]] for entry in entries], dtype=float)
    others = np.array([entry["correct"] for entry in entries]) / 10_000
    passed = {k: greedy + (1 - greedy) * (1 - (1 - others) ** (k - 1)) for k in KS}
    values = {
        "greedy": greedy,
        "pass@16": passed[16],
        "mean": np.mean(list(passed.values()), axis=0),
        "distinct": np.array([[entry["one_rule"]["distinct"]] for entry in entries]),
        "pass@1 at T = 1": np.array([[entry["at_1"]["pass@1"]] for entry in entries]),
        "pass@16 at T = 1": np.array([[entry["at_1"]["pass@16"]] for entry in entries]),
        "sunk": np.array([[entry["sunk"]] for entry in entries], dtype=float),
    }
    points = {
        float(t): tuple(np.mean([entry["temperatures"][t] for entry in entries], axis=0))
        for t in entries[0]["temperatures"]
    }
    temperatures = [entry["temperature"] for entry in entries]
    return Read(values, temperatures, [(r.base, r.seed) for r, _ in found], arm.settings is not None, points)


def paired(arm: Read, *others: Read) -> list[dict[str, np.ndarray]]:
    """The arm minus each of the others, over the runs of a base policy and seed that all of them have.

    Of a base policy itself there is one run, which stands against all of its seeds.

    Returns:
        For each of the others figure -> (R, M); nothing where they have no run in common.
    """
    tables = [{run: values for run in arm.runs if (values := other.of(run)) is not None} for other in (arm, *others)]
    common = [run for run in arm.runs if all(run in table for table in tables)]
    mine, *theirs = ({name: np.array([table[run][name] for run in common]) for name in arm.values} for table in tables)
    return [{name: values - each[name] for name, values in mine.items()} for each in theirs] if common else []


def crossed(values: np.ndarray, clusters: Sequence[Any], confidence: float = 0.95) -> Estimate:
    """The mean over R runs × M problems with its interval for other runs and other sets of numbers.

        half width² = (t_{R−1} s_runs / √R)² + (t_{C−1} s_sets)²

    Args:
        values: (R, M); (R, 1) where problems are not told apart, which leaves their part out.
        clusters: (M,), which set of numbers each problem has.
        confidence: of the two-sided interval; .90 gives the one-sided bounds of 95%.

    Returns:
        Value, low, high and standard error; one run leaves the runs' part out, and the table says how many there were.

    >>> crossed(np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]]), [0, 1, 2, 3]).stderr
    0.2886...
    """
    from scipy.stats import t

    mean, tail = float(values.mean()), (1 + confidence) / 2
    parts = []
    if len(values) > 1:
        parts.append((float(values.mean(1).std(ddof=1)) / sqrt(len(values)), len(values) - 1))
    if values.shape[1] > 1:
        parts.append((estimate(values.mean(0), clusters=clusters).stderr, len(set(clusters)) - 1))
    if not parts:
        return Estimate(mean, nan, nan, nan)
    half = hypot(*(error * float(t.ppf(tail, dof)) for error, dof in parts))
    return Estimate(mean, mean - half, mean + half, hypot(*(error for error, _ in parts)))


def rows(
    experiment: Experiment, done: Mapping[str, Any], seeds: int, bases: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """A record a row of the experiment's table: each arm's figures, and its differences from `against`."""
    name = experiment.sets[-1]
    clusters = number_sets(problem_set(name))
    reads = {
        arm.name: found
        for arm in experiment.arms
        if (found := read_arm(arm, Experiment("", "", (arm,)).runs(seeds, bases), done, name))
    }
    for arm, found in reads.items():
        other = reads.get(experiment.against or "")
        against = paired(found, other) if other and arm != experiment.against else []
        differences = against[0] if against else {}
        yield {
            "arm": arm,
            "runs": len(found.runs),
            "temperatures": sorted(set(found.temperatures)),
            "points": found.points,
            "figures": {figure: crossed(found.values[figure], clusters) for figure in FIGURES},
            "differences": {figure: crossed(values, clusters) for figure, values in differences.items()},
        }
