"""The model card of a run: what was trained from what, how, and what came of it."""

from typing import Any

from dra_grpo import __version__
from dra_grpo.files import read_json, write_whole
from dra_grpo.hub import model_folder
from dra_grpo.training.directory import RunDirectory
from dra_grpo.training.settings import Settings

BY_RULE = {"pass@1": "greedy", "pass@16": "pass@16 by the rule", "mean": "mean over k by the rule"}
"""Figures under the rule that are shown -> what they are called."""


def write_card(directory: RunDirectory, settings: Settings, resolved: str, best: dict[str, Any] | None = None) -> None:
    """Write `README.md` beside the weights: method, options, base policy, settings, and results where there are any.

    Args:
        directory: the run's.
        settings: the run's.
        resolved: the settings as YAML that `--config` takes.
        best: the step that the weights come from, as `best_step` says it; None: the last.
    """
    run, dra, base = settings.run, settings.dra, settings.model.model_name_or_path
    on_hub = f"base_model: {base}\n" if base and model_folder(base) is None else ""
    policy = f"`{base}`" if base else f"the base policy of task `{run.task}`"
    data = f"`{settings.dataset.dataset_name}`" if settings.dataset.dataset_name else f"task `{run.task}`"
    options = ", ".join(f"`{name}: {value}`" for name, value in dra.method_options.items()) or "its default options"
    step = f" The weights are {best_line(best)}." if best else ""
    write_whole(
        directory.card,
        f"---\nlibrary_name: transformers\ntags: [trl, grpo, dra-grpo]\n{on_hub}---\n\n"
        f"# {directory.path.resolve().name}\n\n"
        f"Trained from {policy} on {data} with TRL's GRPO and dra-grpo {__version__}: method `{dra.method}` with "
        f"{options}.{step}\n{results_table(read_json(directory.evaluation))}\n## Settings\n\n```yaml\n{resolved}```\n",
    )


def best_line(best: dict[str, Any]) -> str:
    """`best_step` in words.

    >>> best_line({"step": 75, "metric": "mean", "value": 0.861, "base": 0.87})
    'those of step 75, the best by validation mean: 0.861; the base policy has 0.870'
    """
    base = "" if best["base"] is None else f"; the base policy has {best['base']:.3f}"
    return f"those of step {best['step']}, the best by validation {best['metric']}: {best['value']:.3f}{base}"


def results_table(evaluation: dict[str, Any]) -> str:
    """The content of `eval.json` as a Markdown table with 95% intervals; "" where there is none."""
    if not evaluation:
        return ""
    lines = ["\n## Results\n", "| | base | trained | difference |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in result_rows(evaluation)]
    return "\n".join([*lines, "", title(evaluation), ""])


def title(evaluation: dict[str, Any]) -> str:
    """What the rows of `result_rows` are of."""
    about = f"{evaluation['problems']} {evaluation['split']} problems, exact, 95% intervals over sets of numbers"
    chosen = f"The rule: the first sample greedy, the others at T*, chosen on {evaluation['one_rule']['chosen_on']}."
    return f"{about}.\n{chosen}"


def result_rows(evaluation: dict[str, Any]) -> list[list[str]]:
    """The content of `eval.json` in rows of name, base, trained, difference: by the rule, then at temperature 1."""
    rule, sides = evaluation["one_rule"], ("base", "trained", "difference")
    named = [(name, [rule[side][figure] for side in sides]) for figure, name in BY_RULE.items()]
    named += [(f"{figure} at T = 1", [evaluation[side][figure] for side in sides]) for figure in evaluation["base"]]
    rows = [[name, *(f"{x['value']:.3f} [{x['low']:.3f}, {x['high']:.3f}]" for x in row)] for name, row in named]
    chosen = [f"{rule['temperature'][side]:g}" for side in sides[:2]]
    return [*rows[: len(BY_RULE)], ["T*", *chosen, ""], *rows[len(BY_RULE) :]]
