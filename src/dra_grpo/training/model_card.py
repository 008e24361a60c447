"""The model card of a run: what was trained from what, how, and what came of it."""

from typing import Any

from dra_grpo import __version__
from dra_grpo.files import read_json, write_whole
from dra_grpo.hub import model_folder
from dra_grpo.training.directory import RunDirectory
from dra_grpo.training.settings import Settings


def write_card(directory: RunDirectory, settings: Settings, resolved: str) -> None:
    """Write `README.md` beside the weights: method, options, base policy, settings, and results where there are any.

    Args:
        directory: the run's.
        settings: the run's.
        resolved: the settings as YAML that `--config` takes.
    """
    run, dra, base = settings.run, settings.dra, settings.model.model_name_or_path
    on_hub = f"base_model: {base}\n" if base and model_folder(base) is None else ""
    policy = f"`{base}`" if base else f"the base policy of task `{run.task}`"
    data = f"`{settings.dataset.dataset_name}`" if settings.dataset.dataset_name else f"task `{run.task}`"
    options = ", ".join(f"`{name}: {value}`" for name, value in dra.method_options.items()) or "its default options"
    write_whole(
        directory.card,
        f"---\nlibrary_name: transformers\ntags: [trl, grpo, dra-grpo]\n{on_hub}---\n\n"
        f"# {directory.path.resolve().name}\n\n"
        f"Trained from {policy} on {data} with TRL's GRPO and dra-grpo {__version__}: method `{dra.method}` with "
        f"{options}.\n{results_table(read_json(directory.evaluation))}\n## Settings\n\n```yaml\n{resolved}```\n",
    )


def results_table(evaluation: dict[str, Any]) -> str:
    """The content of `eval.json` as a Markdown table with 95% intervals; "" where there is none."""
    if not evaluation:
        return ""
    sides = ("base", "trained", "difference")
    lines = [f"\n## Results\n\n| | {' | '.join(sides)} |\n|---|---|---|---|"]
    for name in evaluation["trained"]:
        entries = (evaluation[side][name] for side in sides)
        cells = (f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]" for entry in entries)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
