"""Does DRA keep solutions that GRPO loses, and where does a problem's p sink while a policy is trained?

**Over the steps.** "distinct" on validation problems while it trained: the expected number of distinct solutions of 16
samples, the mean over runs. The plot has more figures, and a band from the least to the most of the runs. A force that
repels from what is said already shows as DRA's line above GRPO's and above that of the same weights permuted, at the
same accuracy.

**Where p sinks.** Problems that the base policy solves with p ≥ .1 at temperature 1, by what they are like: `before`
is that p, `texts` and `solutions` are how many are accepted, `divided` is how many of the texts divide. Cases are
problems × runs of an arm; beside them the shares of them that the trained policy solves with p < .1 and with p < .05.

**What is said in place.** The trained policy's greedy completions on the problems that sank below .05, as shares of
the verifier's first complaints.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dra_grpo.analysis.plots import COLOURS, Plot
from dra_grpo.evaluation.exact import exact_probabilities
from dra_grpo.files import write_json
from dra_grpo.lab.baseline import BASELINE
from dra_grpo.lab.experiment import Arm, Experiment, Place
from dra_grpo.lab.outcome import table
from dra_grpo.lab.propensity import completions
from dra_grpo.lab.runs import Run, base_policy, ledger, problem_set, weights_of
from dra_grpo.tasks.countdown import Problem, verify

QUESTION, *READING = str(__doc__).splitlines()
SANK, DEEP = 0.1, 0.05
FIGURES = {"distinct": "distinct solutions of 16", "greedy": "greedy accuracy", "rarely_solved": "share with p < .05"}
CLASSES = {
    "before": (0.1, 0.3, 0.5, 1.01),
    "texts": (1, 5, 9, 99),
    "solutions": (1, 3, 4, 99),
    "target": (1, 26, 51, 101),
}
"""Property of a problem -> the ends of its classes, of which the lower one is in; `divided` has names."""

COMPLAINTS = {
    "form": "malformed",
    "numbers take": "malformed",
    "at hand": "a number not at hand",
    "last": "wrong target",
}
"""A part of what `verify` says -> the kind of mistake; anything else is wrong arithmetic."""


def mistake(text: str, problem: Problem) -> str:
    """What is wrong with a completion, in a word or two.

    >>> mistake("3+5=9,9*2=18", Problem((3, 5, 2), 16)), mistake("3+5=8,8+2=10", Problem((3, 5, 2), 16))
    ('wrong arithmetic', 'wrong target')
    """
    error = verify(text, problem).error
    kinds = (kind for part, kind in COMPLAINTS.items() if part in (error or ""))
    return "right" if error is None else next(kinds, "wrong arithmetic")


def cases(place: Place, arm: Arm, run: Run, name: str) -> Iterator[dict[str, Any]]:
    """The problems of a set under a run's base policy and its trained one; none where its weights are gone.

    Yields:
        `arm`, `base`, `seed`, `prompt`, the problem's properties, p at temperature 1 `before` and `after`; `said` in
        greedy decoding and its `mistake`, where p sank below .05.
    """
    base, folder = base_policy(run.base, place.work), place.work / run.key / "run"
    if not (folder / "model.safetensors").exists():
        return
    asked, (_, untrained, tokenizer) = problem_set(name), next(iter(weights_of(base, None)))
    _, trained, _ = next(iter(weights_of(base, folder)))
    policies = (exact_probabilities(model, tokenizer, asked) for model in (untrained, trained))
    for one, other in zip(*policies, strict=True):
        before, after, divided = one.correct(), other.correct(), {"/" in text for text in one.texts}
        case = {"arm": arm.name, "base": run.base, "seed": run.seed, "prompt": one.problem.prompt, "before": before}
        case |= {
            "after": after,
            "texts": len(one.texts),
            "solutions": len(one.solutions()),
            "divided": "some" if len(divided) > 1 else "all" if True in divided else "none",
        }
        if before >= SANK and after < DEEP:
            case["said"] = completions(trained, tokenizer, one.problem.prompt)[0]
            case["mistake"] = mistake(case["said"], one.problem)
        yield {**case, "target": one.problem.target}


def sinking(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Of each property's classes the cases of an arm, and the shares of each arm's that sank."""
    solved, records = found[found["before"] >= SANK], []
    classes = {name: pd.cut(solved[name], ends, right=False) for name, ends in CLASSES.items()}
    for name, kinds in {**classes, "divided": solved["divided"]}.items():
        for kind, own in solved.groupby(kinds, observed=True):
            by_arm = own.groupby("arm", sort=False)["after"]
            shares = {f"{arm}, p < {end}": float(np.mean(p < end)) for arm, p in by_arm for end in (SANK, DEEP)}
            records.append({"property": name, "class": str(kind), "cases": max(by_arm.size()), **shares})
    return records


def analyse(place: Place, seeds: int, bases: Sequence[int]) -> list[str]:
    """The tables, with two plots and the problems that sank beside them; what to print."""
    done = ledger(place.ledger)
    trained = [arm for arm in COVERAGE.arms if arm.settings is not None]
    runs = [(arm, run) for arm in trained for run in Experiment("", "", (arm,)).runs(seeds, bases) if run.key in done]
    if not runs:
        return ["No run is there yet."]
    curves = pd.DataFrame([{"arm": arm.name, **point} for arm, run in runs for point in done[run.key]["curve"]])
    steps_plot(curves).write(place.out / "coverage-steps.svg")
    distinct = curves.pivot_table(index="step", columns="arm", values="distinct", sort=False).reset_index()
    lines = [*READING[1:], "", "### Over the steps", "", *table(distinct.to_dict("records"))]
    of_runs = [list(cases(place, arm, run, COVERAGE.sets[0])) for arm, run in runs]
    found = pd.DataFrame([case for each in of_runs for case in each])
    if gone := of_runs.count([]):
        again = f"dra-grpo lab run coverage --seeds {seeds} --bases {','.join(map(str, bases))} --work {place.work}"
        lines += ["", f"{gone} runs have no weights in {place.work}; `{again} --out NEW_FOLDER` trains them again."]
    if found.empty:
        return lines
    problems_plot(found).write(place.out / "coverage-problems.svg")
    sank = found[(found["before"] >= SANK) & (found["after"] < SANK)]
    write_json(place.out / "coverage-problems.json", [case.dropna().to_dict() for _, case in sank.iterrows()])
    lines += ["", "### Where p sinks", "", *table(sinking(found))]
    if "mistake" in found:
        said = pd.crosstab(found["mistake"], found["arm"], normalize="columns").reset_index()
        lines += ["", "### What is said in place", "", *table(said.to_dict("records"))]
    return lines


def steps_plot(curves: pd.DataFrame) -> Plot:
    """Each figure over the steps: an arm's mean over runs, and a band from the least to the most."""

    def on(figure: Any) -> None:
        panels = figure.subplots(1, len(FIGURES))
        for axes, (name, label) in zip(panels, FIGURES.items(), strict=True):
            for (arm, each), colour in zip(curves.groupby("arm", sort=False), COLOURS, strict=False):
                runs = each.groupby("step")[name].agg(["mean", "min", "max"])
                axes.plot(runs.index, runs["mean"], color=colour, label=arm)
                axes.fill_between(runs.index, runs["min"], runs["max"], color=colour, alpha=0.15, linewidth=0)
            axes.set(xlabel="step", ylabel=label)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)

    return Plot(on, 12.0, 3.8)


def problems_plot(found: pd.DataFrame) -> Plot:
    """p under the trained policy against p under the base policy, a point for each problem of each run."""

    def on(figure: Any) -> None:
        panels = figure.subplots(1, found["arm"].nunique(), sharey=True, squeeze=False)[0]
        for axes, (arm, own) in zip(panels, found.groupby("arm", sort=False), strict=True):
            axes.plot(own["before"], own["after"], ".", markersize=2, color=COLOURS[1], alpha=0.4, rasterized=True)
            axes.axhline(SANK, color=COLOURS[0], linewidth=1)
            axes.set(title=arm, xlabel="p of the base policy", ylabel="p when trained", xlim=(0, 1), ylim=(0, 1))

    return Plot(on, 12.0, 4.0)


COVERAGE = Experiment(
    name="coverage",
    question=QUESTION,
    arms=tuple(arm for arm in BASELINE.arms if arm.name in ("base", "GRPO", "DRA-GRPO", "permuted")),
    against="GRPO",
    analyse=analyse,
)
