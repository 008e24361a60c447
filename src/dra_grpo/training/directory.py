"""A run's directory: what lies where, the last checkpoint that is whole, and cutting back what came after it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dra_grpo.files import json_lines, locked, write_json, write_json_lines

VERSIONS = ("dra-grpo", "torch", "trl", "transformers", "accelerate", "datasets", "sentence-transformers", "peft")

WEIGHTS = ("model*.safetensors", "model.safetensors.index.json", "adapter_model.safetensors")
"""What the trainer calls the weights it saves in the end."""


class RunDirectory:
    """`output_dir` of a run.

    Attributes:
        config: the resolved settings; `--config` takes it again.
        environment: versions, seed, command.
        metrics: one JSON line a logged step.
        samples: one JSON line a saved group.
        evaluation: figures of the base and the trained policy.
        report: the HTML report.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config = self.path / "config.yaml"
        self.environment = self.path / "environment.json"
        self.metrics = self.path / "metrics.jsonl"
        self.samples = self.path / "samples.jsonl"
        self.evaluation = self.path / "eval.json"
        self.report = self.path / "report.html"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the folder in the main process.

        Raises:
            UsageError: another run holds it, or it cannot be written.
        """
        return locked(self.path, "run", "--output_dir") if is_main_process() else nullcontext()

    def holds_run(self) -> bool:
        """Whether a run has written here."""
        return self.config.exists() or any(self.path.glob("checkpoint-*"))

    def last_checkpoint(self) -> Path | None:
        """The newest checkpoint that was written to its end: the trainer writes `trainer_state.json` last."""
        for folder in sorted(self.path.glob("checkpoint-*"), key=checkpoint_step, reverse=True):
            try:
                state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if state.get("global_step") == checkpoint_step(folder):
                return folder
        return None

    def clear(self) -> None:
        """Remove what a run left and nothing else; its weights too, which would pass for those of the new run."""
        weights = (file for pattern in WEIGHTS for file in self.path.glob(pattern))
        for folder in self.path.glob("checkpoint-*"):
            shutil.rmtree(folder)
        written = (self.config, self.environment, self.metrics, self.samples, self.evaluation, self.report)
        for file in (*written, *weights):
            file.unlink(missing_ok=True)

    def cut_back(self, step: int) -> None:
        """Drop logged lines and checkpoints that came after `step`, and a line that a kill left half written."""
        for file in (self.metrics, self.samples):
            if file.exists():
                write_json_lines(file, [line for line in json_lines(file) if line["step"] <= step])
        for folder in self.path.glob("checkpoint-*"):
            if checkpoint_step(folder) > step:
                shutil.rmtree(folder)

    def write_environment(self, seed: int, processes: int) -> None:
        """Record what this run runs on."""
        record = {
            "command": sys.argv,
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "seed": seed,
            "processes": processes,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "versions": installed_versions(),
        }
        write_json(self.environment, record)

    def write_evaluation(self, figures: dict[str, Any]) -> None:
        """Write `eval.json`."""
        write_json(self.evaluation, figures)


def launched_processes() -> int:
    """Processes of this run, as torchrun and accelerate tell each of them."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main_process() -> bool:
    """Whether this is the process that writes, asked before anything is built that would know."""
    return int(os.environ.get("RANK", 0)) == 0


def checkpoint_step(folder: Path) -> int:
    """The step in a checkpoint's name; -1 where it is none."""
    number = folder.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1


def installed_versions() -> dict[str, str | None]:
    """Version of each package a run depends on; None where it is not installed."""
    found: dict[str, str | None] = {}
    for package in VERSIONS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found
