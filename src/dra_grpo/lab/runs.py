"""One training run on Countdown: keyed by its settings and seeds, measured exactly, never done twice.

    python -m dra_grpo.lab.runs JOB     # trains and measures one run; `dra-grpo lab run` starts these

A run's folder keeps its weights as long as it is there, so that a policy can be measured on further problems.
"""

import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import Any

import torch
import yaml

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.exact import Accepted, correct_at, exact_probabilities, exact_results
from dra_grpo.evaluation.one_rule import GRID, choose_temperature, over_temperatures, read
from dra_grpo.files import append_json_lines, json_lines, locked, write_whole
from dra_grpo.lab.countdown_policy import pretrain
from dra_grpo.merging import average
from dra_grpo.tasks.countdown import BASE_POLICY, Problem, problems
from dra_grpo.training.recipe_file import layered, recipe_path

VALIDATION, TEST = "validation[:500]", "test[500:]"
"""Sets of problems. T* and every choice come from VALIDATION; the first 500 test problems are spent: they were looked
at while the library was made."""

MERGES = (0.3, 0.4, 0.5, 0.7)
"""The run's share in the averages with its base policy that are measured beside it."""

EVERY = 25
"""Steps between two exact evaluations and checkpoints, of which the best is measured as the policy "best"."""

BOOKKEEPING = {
    "logging_steps": 1, "save_strategy": "steps", "save_steps": EVERY, "save_total_limit": 100, "report_to": "none",
    "eval_strategy": "steps", "eval_steps": EVERY, "eval_on_start": True, "validation_problems": 200,
    "evaluation_problems": 0, "samples_every": 1_000_000,
}  # fmt: skip
"""Settings of every run that change no number of it."""


@dataclass(frozen=True)
class Run:
    """What is trained: settings over the recipe `countdown`, from a base policy, with a seed.

    Attributes:
        settings: names and values as in a recipe; None: nothing is trained, the base policy itself.
        base: the seed that its base policy was pretrained with; 0 is the one in the package.
        seed: of the training.
    """

    settings: Mapping[str, Any] | None
    base: int = 0
    seed: int = 0

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits of the resolved settings and the seeds: of what changes the run's numbers.

        >>> Run({"method": "none"}).key == Run({"method": "none", "save_steps": 10}).key
        True
        >>> Run({"method": "none"}).key == Run({"method": "none"}, seed=1).key
        False
        """
        if self.settings is None:
            return f"base-{self.base}"
        recipe = yaml.safe_load(recipe_path("countdown").read_text(encoding="utf-8"))
        resolved = layered(recipe, dict(self.settings))
        kept = {name: value for name, value in resolved.items() if name not in {*BOOKKEEPING, "output_dir", "seed"}}
        text = json.dumps([kept, self.base, self.seed], sort_keys=True)
        return blake2b(text.encode(), digest_size=6).hexdigest()


@dataclass(frozen=True)
class Job:
    """A run, and where it leaves what.

    Attributes:
        run: what is trained.
        sets: of problems that its policies are measured on, such as VALIDATION; T* is chosen on the first.
        ledger: the JSON lines of all runs.
        work: the folder of the runs' folders.
    """

    run: Run
    sets: tuple[str, ...]
    ledger: Path
    work: Path

    def dumps(self) -> str:
        """As the command line takes it."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def loads(cls, text: str) -> "Job":
        """The job that `dumps` wrote."""
        given = json.loads(text)
        return cls(Run(**given["run"]), tuple(given["sets"]), Path(given["ledger"]), Path(given["work"]))

    def is_done(self, done: Mapping[str, Any]) -> bool:
        """Whether the ledger has it, measured on all `sets`."""
        policies = done.get(self.run.key, {}).get("policies", {})
        return bool(policies) and all(name in found for found in policies.values() for name in self.sets)

    def do(self) -> None:
        """Train what is not trained, measure it, add a line to the ledger."""
        run, folder = self.run, self.work / self.run.key / "run"
        if self.is_done(ledger(self.ledger)):
            return
        started, base = time.perf_counter(), base_policy(run.base, self.work)
        with locked(folder.parent, "run", "--work"):
            if run.settings is not None and not (folder.parent / "trained").exists():
                self._train(base, folder)
            policies = {
                name: measured(model, tokenizer, self.sets)
                for name, model, tokenizer in weights_of(base, None if run.settings is None else folder)
            }
        line = {
            "key": run.key, **asdict(run), "curve": curve(folder), "seconds": round(time.perf_counter() - started),
            "versions": {name: version(name) for name in ("torch", "trl", "transformers")}, "policies": policies,
        }  # fmt: skip
        append_json_lines(self.ledger, [line])
        for checkpoint in set(folder.glob("checkpoint-*")) - {best_checkpoint(folder)}:
            shutil.rmtree(checkpoint)

    def _train(self, base: Path, folder: Path) -> None:
        from dra_grpo.training.run import train
        from dra_grpo.training.settings import parse_settings

        given = {**BOOKKEEPING, **(self.run.settings or {}), "seed": self.run.seed, "output_dir": str(folder)}
        recipe = folder.parent / "recipe.yaml"
        write_whole(recipe, yaml.safe_dump({"extends": "countdown", "model_name_or_path": str(base), **given}))
        go_on = ["--resume"] if any(folder.glob("checkpoint-*")) else ["--overwrite"]
        train(parse_settings(["--config", str(recipe), "--disable_tqdm", "true", *go_on]))
        (folder.parent / "trained").touch()


def base_policy(seed: int, work: Path) -> Path:
    """The folder of a base policy: the packaged one, or one that is pretrained now where no run did so before."""
    folder = work / f"base-{seed}"
    if seed == 0:
        return BASE_POLICY
    with locked(work / f"pretrain-{seed}", "run", "--work"):
        if not (folder / "results.json").exists():
            pretrain(folder, seed=seed, measured=0)
    return folder


def weights_of(base: Path, folder: Path | None) -> Iterable[tuple[str, Any, Any]]:
    """The policies that a run gives, one after the other: name, model, tokenizer.

    "base" alone where nothing was trained; else "final", "best" (the checkpoint with the best mean on validation
    problems, where that is an earlier one) and its averages with the base policy, "merge 0.3" and so on.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    parent = AutoModelForCausalLM.from_pretrained(base)
    if folder is None:
        yield "base", parent, tokenizer
        return
    model = AutoModelForCausalLM.from_pretrained(folder)
    yield "final", model, tokenizer
    best = best_checkpoint(folder)
    if best:
        yield "best", AutoModelForCausalLM.from_pretrained(best), tokenizer
    trained = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for share in MERGES:
        model.load_state_dict(average([parent.state_dict(), trained], [1 - share, share]))
        yield f"merge {share}", model, tokenizer


def best_checkpoint(folder: Path) -> Path | None:
    """That with the best mean on the curve; None where it is the last one."""
    points = [point for point in curve(folder) if point["step"]]
    best = max(points, key=lambda point: point["mean"], default=None)
    return folder / f"checkpoint-{best['step']}" if best and best != points[-1] else None


def curve(folder: Path) -> list[dict[str, float]]:
    """The exact figures on validation problems while it trained: step, and each figure by its name."""
    file = folder / "metrics.jsonl"
    lines = json_lines(file) if file.exists() else []
    return [
        {"step": line["step"], **{name[5:]: round(value, 4) for name, value in line.items() if name[:5] == "eval_"}}
        for line in lines
        if "eval_mean" in line
    ]


def measured(model: Any, tokenizer: Any, sets: Sequence[str]) -> dict[str, Any]:
    """A policy on sets of problems: by the one rule, over temperatures, and at temperature 1.

    Returns:
        Set -> `temperature` (T*, chosen on the first), `one_rule` and `at_1` (name -> mean), `temperatures`
        (T -> pass@1, pass@16), `sunk` (problems with p < .05 at temperature 1), and for each problem `greedy` ("1"
        where it is right) and `correct` (p at T*, in ten-thousandths).
    """
    found, temperature = {}, None
    for name in sets:
        accepted = exact_probabilities(model, tokenizer, problem_set(name), temperatures=GRID)
        temperature = temperature or choose_temperature(accepted)
        found[name] = figures(accepted, temperature)
    return found


def figures(accepted: Sequence[Accepted], temperature: float) -> dict[str, Any]:
    """One entry of `measured`."""
    usual = over_temperatures(accepted)
    return {
        "temperature": temperature,
        "one_rule": _means(read(accepted, temperature)),
        "at_1": _means(exact_results(accepted)),
        "temperatures": {str(t): [*_means(each).values()][:2] for t, each in usual.items()},
        "sunk": int((correct_at(accepted, 1.0) < 0.05).sum()),
        "greedy": "".join(str(int(right)) for right in correct_at(accepted, 0.0)),
        "correct": (10_000 * correct_at(accepted, temperature)).round().int().tolist(),
    }


def problem_set(name: str) -> list[Problem]:
    """The problems of a set, written as a slice of a split.

    Raises:
        UsageError: it is not written so.

    >>> len(problem_set("validation[500:520]")), len(problem_set(TEST))
    (20, 801)
    """
    found = re.fullmatch(r"(\w+)\[(\d*):(\d*)\]", name)
    if not found:
        raise UsageError(f"set of problems {name!r}; expected a slice of a split, such as {VALIDATION!r}")
    first, last = (int(number) if number else None for number in found.groups()[1:])
    return problems(found[1], last)[first:]  # pyright: ignore[reportArgumentType]


def ledger(file: Path) -> dict[str, dict[str, Any]]:
    """Key -> the run, with all sets of problems that its lines were measured on; of one set the last counts."""
    runs: dict[str, dict[str, Any]] = {}
    for line in json_lines(file) if file.exists() else []:
        run = runs.setdefault(line["key"], line)
        for name, sets in line.get("policies", {}).items():
            run["policies"].setdefault(name, {}).update(sets)
    return runs


def _means(figures: Mapping[str, torch.Tensor]) -> dict[str, float]:
    return {name: round(values.mean().item(), 5) for name, values in figures.items()}


def _end_with(parent: int) -> None:
    """End when `parent` is killed, so that the same command can go on at once."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    Job.loads(sys.argv[1]).do()
