"""Plain GRPO's results that the wheel carries, from results/countdown/none-SEED.json: the reference on a run's page.

python results/reference.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "src/dra_grpo/recipes/countdown.reference.json"
VERSIONS = {"python": "3.11.7", "torch": "2.13.0+cpu", "trl": "1.16.0", "transformers": "5.23.0"}
SETTINGS = {
    "task": "countdown", "evaluation_split": "test", "evaluation_problems": 500, "max_steps": 200,
    "learning_rate": 1e-4, "lr_scheduler_type": "linear", "num_generations": 8, "per_device_train_batch_size": 256,
    "max_completion_length": 32, "use_cpu": True, "bf16": False, "activation_checkpointing": False,
}  # fmt: skip
"""What the runs were trained with; a run with other settings is not compared with them."""


def reference() -> dict[str, Any]:
    """Results by seed, and what they were measured with."""
    runs = {
        file.stem[-1]: json.loads(file.read_text()) for file in sorted((ROOT / "results/countdown").glob("none-*"))
    }
    return {
        "command": "dra-grpo train --config countdown --method none --seed SEED",
        "versions": VERSIONS,
        "settings": SETTINGS,
        "base": _rounded(runs["0"]["base"]),
        "trained": {seed: _trained(run) for seed, run in runs.items()},
    }


def _trained(run: dict[str, Any]) -> dict[str, Any]:
    """A run's results at temperature 1, by the rule and over temperatures."""
    over = {temperature: _rounded(at) for temperature, at in run.get("temperatures", {}).get("trained", {}).items()}
    rule = _rounded(run["one_rule"]["trained"]) if "one_rule" in run else {}
    return {**_rounded(run["trained"]), **({"rule": rule, "temperatures": over} if rule else {})}


def _rounded(results: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {name: {key: round(value, 4) for key, value in entry.items()} for name, entry in results.items()}


if __name__ == "__main__":
    REFERENCE.write_text(json.dumps(reference(), indent=1) + "\n")
