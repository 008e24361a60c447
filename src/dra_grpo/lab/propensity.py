"""Is 1 + SMI a density, so that dividing by it is inverse propensity scoring? Held against the exact p(o | q).

**Ranks.** Rank correlation of 1 + SMI with p: the mean over groups in which both vary, with a 95% interval over sets
of numbers, and over all completions of all problems at once. p is that of the text; of the text, among correct
completions only, which are what DRA pays; or of the solution, the sum over the correct texts that share it. The slope
is that of (1 + SMI) / G over p. For the claim: near 1 among the correct, for the text or for its solution, and nearer
with more completions. Against it: near 0 or below, or no better with more. "exact identity" is no embedder: it is told
which texts are one solution, so that 1 + SMI counts them.

**Calibration.** (1 + SMI) / G at G = 8 as an estimate of p, by tenths of the completions in order of p; after × its
ratio to the mean p. A completion counts itself, so that the most to be had is 7/8 p + 1/8. For the claim: ratios near
1, or alike everywhere, since a factor only changes the learning rate. Against it: ratios that move with p, as where
all completions look alike.

**Gradient.** That of exact inverse propensity is the sum of the gradients of log p(o | q) over all accepted texts o,
or of log p(s | q) over all solutions s, by enumeration. Against it stands the mean gradient of groups of G under each
weight of a correct completion, as a cosine; 1 is no bias. "batch": of 32 problems. "problem": the mean over problems
one by one with its 95% interval, where what a problem counts for is left out. "own" is 1 − the cosine of the two
halves that the mean was measured with, its own noise, 0 where it is known exactly: a cosine may be that much too low.
"noise" is E|g − Eg|² / |Eg|² of one batch's gradient g. For the claim: R / (1 + SMI) nearer to 1 than plain R, and
near to 1, with less noise than R/p. Against it: no nearer than plain R.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import nan
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dra_grpo.analysis.plots import COLOURS, Plot
from dra_grpo.core import cosine_similarity, graph_cut
from dra_grpo.embedders.choice import as_embedder
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.evaluation.exact import Accepted, completion_logprobs, number_sets
from dra_grpo.evaluation.statistics import estimate
from dra_grpo.files import write_json
from dra_grpo.lab.embedders import EXACT
from dra_grpo.lab.experiment import Experiment, Place
from dra_grpo.lab.outcome import table
from dra_grpo.lab.runs import base_policy, problem_set
from dra_grpo.tasks.countdown import Problem, accepted_texts, solution_key

QUESTION, *READING = str(__doc__).splitlines()

PROBLEMS, SAMPLES = "validation[:96]", 256
"""Whose completions are drawn, and how many of each, of which groups are cut: two minutes of one core."""

SIZES, GROUP, BATCH = (4, 8, 16, 64), 8, 32
"""Completions in a group: all that are tried, and the one of calibration and plot; problems in a batch."""

EMBEDDERS = {"ngram": "ngram", "minilm": "minilm", "exact identity": EXACT}
DENSITIES = TEXT, CORRECT, SOLUTION = "text", "correct text", "solution"


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a policy says to one problem: U different texts, the accepted ones first, and M samples.

    Attributes:
        problem: the problem.
        texts: U of them, all accepted ones and what else was sampled.
        accepted: n, how many are accepted.
        densities: what 1 + SMI may be an estimate of, exact, (U,) each; NaN where a text is left out.
        samples: (M,) places in `texts`.
    """

    problem: Problem
    texts: list[str]
    accepted: int
    densities: Mapping[str, Tensor]
    samples: Tensor

    def groups(self, size: int) -> Tensor:
        """(M // size, size) of the samples."""
        return self.samples[: len(self.samples) // size * size].view(-1, size)


def completions(model: Any, tokenizer: Any, prompt: str, count: int | None = None) -> list[str]:
    """What the model says to a prompt: `count` samples at temperature 1, or its one greedy completion."""
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    how = (
        {"do_sample": True, "num_return_sequences": count, "top_k": 0}
        if count
        else {"do_sample": False, "top_k": None}
    )
    said = model.generate(ids, **how, temperature=1.0, top_p=1.0, max_new_tokens=64)
    return tokenizer.batch_decode(said[:, ids.shape[1] :], skip_special_tokens=True)


def draw(model: Any, tokenizer: Any, problem: Problem, count: int) -> Drawn:
    """Sample `count` completions from torch's generator, and look up what each one's chance was."""
    accepted, said = accepted_texts(problem), completions(model, tokenizer, problem.prompt, count)
    texts = list(dict.fromkeys([*accepted, *said]))
    chance = completion_logprobs(model, tokenizer, [problem.prompt] * len(texts), texts)[0].exp()
    solutions = Accepted(problem, accepted, chance[None, : len(accepted)]).solutions()
    solution = torch.tensor([solutions.get(solution_key(text), nan) for text in texts], dtype=torch.float64)
    densities = {TEXT: chance, CORRECT: torch.where(solution.isnan(), nan, chance), SOLUTION: solution}
    return Drawn(problem, texts, len(accepted), densities, torch.tensor([texts.index(text) for text in said]))


def similarities(drawn: Sequence[Drawn], model: Any, tokenizer: Any) -> list[dict[str, Tensor]]:
    """For each problem embedder -> the cosines of its texts, (U, U) float64.

    The policy's hidden states are centred by the mean over all samples, as training does over a batch.
    """
    embedders: dict[str, Any] = {name: as_embedder(each) for name, each in EMBEDDERS.items()}
    policy, rows = PolicyEmbedder(), []
    for one in drawn:
        said = [[*tokenizer(text).input_ids, tokenizer.eos_token_id] for text in one.texts]
        asked = [tokenizer(one.problem.prompt).input_ids] * len(said)
        rows.append({name: each.encode(one.texts) for name, each in embedders.items()})
        rows[-1]["policy"] = policy.encode(model, asked, said, model.base_model)
    mean = torch.cat([own["policy"][one.samples] for own, one in zip(rows, drawn, strict=True)]).mean(0)
    for own in rows:
        own["policy"] -= mean
    return [{name: cosine_similarity(each).double() for name, each in own.items()} for own in rows]


def one_plus_smi(similarity: Tensor, groups: Tensor) -> Tensor:
    """1 + SMI of each completion of each group, as DRA divides by it: places (N, G) in (U, U) -> (N, G)."""
    return 1 + graph_cut(similarity[groups[:, :, None], groups[:, None, :]]).clamp(min=0)


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Rank correlation over the last axis: (..., G) twice -> (...).

    Entries whose y is NaN are left out; NaN where what is left of x or y is all one value. Ties share their rank.

    >>> spearman(np.array([[1, 2, 9], [1, 2, 9]]), np.array([[1, 3, 2], [4, np.nan, 5]]))
    array([0.5, 1. ])
    """
    from scipy.stats import rankdata

    known = ~np.isnan(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        ranks = rankdata(np.where(known, np.stack([x, y]), nan), axis=-1, nan_policy="omit")
        x, y = np.where(known, ranks - np.nansum(ranks, -1, keepdims=True) / known.sum(-1, keepdims=True), 0.0)
        return (x * y).sum(-1) / np.sqrt((x * x).sum(-1) * (y * y).sum(-1))


def grouped(drawn: Sequence[Drawn], similar: Sequence[Mapping[str, Tensor]], name: str, size: int) -> np.ndarray:
    """1 + SMI by the embedder `name`, or the density of that name: (problems, M // size, size)."""
    of_groups = [
        one_plus_smi(own[name], one.groups(size)) if name in own else one.densities[name][one.groups(size)]
        for one, own in zip(drawn, similar, strict=True)
    ]
    return torch.stack(of_groups).numpy()


def ranks(drawn: Sequence[Drawn], similar: Sequence[Mapping[str, Tensor]]) -> Iterator[dict[str, Any]]:
    """For each embedder and G: rank correlations within groups and pooled, and the slope of (1 + SMI) / G."""
    sets = number_sets([one.problem for one in drawn])
    for name in similar[0]:
        for size in SIZES:
            record: dict[str, Any] = {"embedder": name, "G": size}
            smi = grouped(drawn, similar, name, size).round(6)  # copies tie, in whatever order their sums were taken
            for density in DENSITIES:
                p = grouped(drawn, similar, density, size)
                known, means = ~np.isnan(p), np.ma.masked_invalid(spearman(smi, p)).mean(1)
                kept = list(compress(sets, ~np.ma.getmaskarray(means)))
                record[f"in groups, {density}"] = vars(estimate(means.compressed(), clusters=kept))
                record[f"pooled, {density}"] = float(spearman(smi.ravel(), p.ravel()))
                record[f"slope, {density}"] = float(np.polyfit(p[known], smi[known] / size, 1)[0])
            yield record


def calibration(
    drawn: Sequence[Drawn], similar: Sequence[Mapping[str, Tensor]], bins: int = 10
) -> Iterator[dict[str, Any]]:
    """For p of the text and of the solution by its quantiles: its mean, and (1 + SMI) / G with its middle 80%."""
    estimates = {name: grouped(drawn, similar, name, GROUP).ravel() / GROUP for name in similar[0]}
    for density in (TEXT, SOLUTION):
        p = grouped(drawn, similar, density, GROUP).ravel()
        order = np.argsort(p, kind="stable")[: (~np.isnan(p)).sum()]  # NaN comes last
        for part in np.array_split(order, bins):
            record: dict[str, Any] = {"of the": density, "mean p": float(p[part].mean())}
            for name, values in estimates.items():
                mean, (low, high) = float(values[part].mean()), np.quantile(values[part], (0.1, 0.9)).tolist()
                record[name] = {"value": mean, "ratio": mean / record["mean p"], "low": low, "high": high}
            yield record


def logprob_gradients(model: Any, tokenizer: Any, one: Drawn) -> Tensor:
    """∇ log p(o | q) of each accepted text with its end token, with respect to all parameters: (n, parameters)."""
    asked, rows = tokenizer(one.problem.prompt).input_ids, []
    for text in one.texts[: one.accepted]:
        ids = torch.tensor([[*asked, *tokenizer(text).input_ids, tokenizer.eos_token_id]])
        logprobs = model(input_ids=ids).logits[0, len(asked) - 1 : -1].log_softmax(-1)
        logprob = logprobs.gather(-1, ids[0, len(asked) :, None]).sum()
        rows.append(torch.cat([part.flatten() for part in torch.autograd.grad(logprob, list(model.parameters()))]))
    return torch.stack(rows)


def fixed(one: Drawn, weight: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """What `in_company` gives, exactly, for a weight (n,) of the completion alone: (diag(p w²) − (p w)(p w)ᵀ) / G."""
    mean = one.densities[TEXT][: one.accepted] * weight
    return mean.expand(2, -1), ((mean * weight).diag() - mean.outer(mean)) / size


def in_company(one: Drawn, likeness: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The weight 1 / (1 + Σ_{j≠i} likeness_ij) in a group, likeness (U, U); DRA's is the cosine.

    A group's gradient is Σ_o cₒ ∇ log p(o | q) over the n accepted texts, cₒ the mean over completions of the weights
    of those that are o.

    Returns:
        E c by either half of the samples, (2, n): p(o | q) times the mean weight of o in the company of G − 1 others,
        so that texts too rare to be sampled have their part; and the covariance of c, (n, n).
    """
    n, others = one.accepted, one.groups(size - 1)
    weights = 1 / (1 + likeness[:n][:, others].sum(-1).clamp(min=0))
    means = one.densities[TEXT][:n] * torch.stack([weights[:, ::2].mean(1), weights[:, 1::2].mean(1)])
    groups = one.groups(size)
    drawn = torch.zeros(len(groups), len(one.texts), dtype=torch.float64)
    off = drawn.scatter_add_(1, groups, 1 / one_plus_smi(likeness, groups) / size)[:, :n] - means.mean(0)
    return means, off.mT @ off / len(off)


def weightings(one: Drawn, similar: Mapping[str, Tensor], size: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Every way to weight the correct completions of a group."""
    n, p = one.accepted, one.densities[TEXT]
    correct = (torch.arange(len(p)) < n).double()
    return {
        "R": fixed(one, correct[:n], size),
        **{f"R / (1 + SMI), {name}": in_company(one, own, size) for name, own in similar.items()},
        "equal shares": in_company(one, correct.expand(len(p), -1), size),
        "shares as 1 / p": in_company(one, p.outer(correct / p), size),
        "R / p of the solution": fixed(one, 1 / one.densities[SOLUTION][:n], size),
        "R / p of the text": fixed(one, 1 / p[:n], size),
    }


def cosine(a: Tensor, b: Tensor, inner: Tensor) -> float:
    """Of two gradients that are combinations (n,) of n whose inner products are (n, n)."""
    return float(a @ inner @ b / ((a @ inner @ a) * (b @ inner @ b)).sqrt())


def gradients(
    drawn: Sequence[Drawn], similar: Sequence[Mapping[str, Tensor]], model: Any, tokenizer: Any
) -> Iterator[dict[str, Any]]:
    """For each G and weight: bias and noise of the gradient, see above.

    Every gradient is a combination of those of the batch's accepted texts, so their inner products give everything.
    """
    found, sets = defaultdict(lambda: defaultdict(list)), number_sets([one.problem for one in drawn])
    for start in range(0, len(drawn), BATCH):
        batch = slice(start, start + BATCH)
        rows = [logprob_gradients(model, tokenizer, one) for one in drawn[batch]]
        *inners, inner = ((each @ each.mT).double() for each in (*rows, torch.cat(rows)))
        for size in SIZES:
            ways = [weightings(*both, size) for both in zip(drawn[batch], similar[batch], strict=True)]
            for name in ways[0]:
                lists, means = found[size, name], [way[name][0].mean(0) for way in ways]
                for target in (TEXT, SOLUTION):
                    exact = [way[f"R / p of the {target}"][0][0] for way in ways]
                    lists[f"batch, {target}"].append(cosine(torch.cat(means), torch.cat(exact), inner))
                    lists[f"problem, {target}"].extend(map(cosine, means, exact, inners))
                halves = torch.cat([way[name][0] for way in ways], dim=1)
                lists["own"].append(1 - cosine(halves[0], halves[1], inner))
                noise = sum((way[name][1] * own).sum() for way, own in zip(ways, inners, strict=True))
                lists["noise"].append(float(noise / (halves.mean(0) @ inner @ halves.mean(0))))
    for (size, name), lists in found.items():
        columns = {
            column: vars(estimate(values, clusters=sets)) if "problem" in column else float(np.mean(values))
            for column, values in lists.items()
        }
        yield {"G": size, "weight": name, **columns}


def measure(model: Any, tokenizer: Any, problems: Sequence[Problem], samples: int) -> dict[str, list[dict[str, Any]]]:
    """The records of a policy's three tables."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        drawn = [draw(model, tokenizer, problem, samples) for problem in problems]
    similar = similarities(drawn, model, tokenizer)
    by_gradient = list(gradients(drawn, similar, model, tokenizer))
    return {"Ranks": [*ranks(drawn, similar)], "Calibration": [*calibration(drawn, similar)], "Gradient": by_gradient}


def analyse(place: Place, seeds: int, bases: Sequence[int]) -> list[str]:
    """Measure each base policy; what to print. Nothing is trained, so that seeds change nothing."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    lines, found = READING[1:], {}
    for base in bases:
        started, folder = time.process_time(), base_policy(base, place.work)
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
        found[base] = measure(model, tokenizer, problem_set(PROBLEMS), SAMPLES)
        seconds = time.process_time() - started
        lines += [
            "",
            f"Base policy {base}, {PROBLEMS}, {SAMPLES} completions each; {seconds:.0f} seconds of one core.",
        ]
        for title, records in found[base].items():
            lines += ["", f"### {title}", "", *table(records)]
    write_json(place.out / "propensity.json", found)
    density_plot(found[bases[0]]["Calibration"]).write(place.out / "propensity.svg")
    return lines


def density_plot(records: Sequence[Mapping[str, Any]]) -> Plot:
    """1 + SMI against p: the mean and the middle 80% by tenths of p, and the line of a density."""

    def on(figure: Any) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, density in zip(panels, (TEXT, SOLUTION), strict=True):
            own = [record for record in records if record["of the"] == density]
            p = np.array([record["mean p"] for record in own])
            for name, colour in zip([*own[0]][2:], COLOURS[1:], strict=False):
                mean, low, high = (
                    GROUP * np.array([each[name][key] for each in own]) for key in ("value", "low", "high")
                )
                axes.plot(p, mean, "o-", color=colour, markersize=3, label=name)
                axes.fill_between(p, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(p, 1 + (GROUP - 1) * p, "--", color=COLOURS[0], label="a density: 1 + (G − 1) p")
            axes.set(xscale="log" if density == TEXT else "linear", xlabel=f"p of the {density}", ylabel="1 + SMI")
            axes.xaxis.set_major_formatter("{x:g}")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)

    return Plot(on, 9.0, 4.2)


PROPENSITY = Experiment(name="propensity", question=QUESTION, analyse=analyse)
