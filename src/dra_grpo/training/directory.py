"""A run's directory: what lies where, the last checkpoint that is whole, and cutting back what came after it."""

import os
import platform
import re
import shutil
import sys
import time
from importlib.metadata import distributions
from pathlib import Path

from dra_grpo.errors import UsageError
from dra_grpo.files import json_lines, write_json, write_json_lines, write_whole

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
        evaluation: the results of the base and the trained policy.
        report: the HTML report.
        card: the model card, which goes with the weights.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.config, self.card = self.path / "config.yaml", self.path / "README.md"
        self.environment, self.evaluation = self.path / "environment.json", self.path / "eval.json"
        self.metrics, self.samples = self.path / "metrics.jsonl", self.path / "samples.jsonl"
        self.report = self.path / "report.html"

    def holds_run(self) -> bool:
        """Whether a run came so far that there is something to lose."""
        return self.metrics.exists() or bool(self.checkpoints())

    def checkpoints(self) -> list[Path]:
        """The checkpoints there are, whole or not, the newest first."""
        found = [folder for folder in self.path.glob("checkpoint-*") if checkpoint_step(folder) >= 0]
        return sorted(found, key=checkpoint_step, reverse=True)

    def clear(self) -> None:
        """Remove what a run left and nothing else; its weights too, which would pass for those of the new run."""
        for folder in self.checkpoints():
            shutil.rmtree(folder)
        weights = {file for pattern in WEIGHTS for file in self.path.glob(pattern)}
        for file in weights.union(file for file in vars(self).values() if file != self.path):
            file.unlink(missing_ok=True)

    def cut_back(self, step: int) -> None:
        """Drop logged lines and checkpoints that came after `step`, and a line that a kill left half written."""
        for file in (self.metrics, self.samples):
            if file.exists():
                write_json_lines(file, [line for line in json_lines(file) if line["step"] <= step])
        for folder in (folder for folder in self.checkpoints() if checkpoint_step(folder) > step):
            shutil.rmtree(folder)

    def begin(self, resolved: str, seed: int, processes: int) -> None:
        """Write down the settings of a run and what it runs on."""
        write_whole(self.config, resolved)
        machine = {"python": platform.python_version(), "platform": platform.platform(), "cpus": os.cpu_count()}
        versions = {found.name: found.version for found in distributions() if found.name in VERSIONS}
        command = [re.sub(r"hf_\w+", "hf_...", word) for word in sys.argv]  # a token is nobody else's business
        run = {"command": command, "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "seed": seed}
        write_json(self.environment, {**run, "processes": processes, **machine, "versions": versions})


def launched_processes() -> int:
    """Processes of this run, as torchrun and accelerate tell each of them."""
    return int(os.environ.get("WORLD_SIZE", 1))


def check_processes(wanted: int | None) -> None:
    """Raise UsageError where another number of processes runs here than the batch is meant for; None: any."""
    here = launched_processes()
    if wanted not in (None, here):
        launch = f"launch with torchrun --nproc_per_node {wanted} -m dra_grpo train ..., or set --processes {here}"
        raise UsageError(f"the batch is meant for processes: {wanted}, but {here} runs here; {launch}")


def is_main_process() -> bool:
    """Whether this is the process that writes, asked before anything is built that would know."""
    return int(os.environ.get("RANK", 0)) == 0


def note(message: str) -> None:
    """Print, once for all processes, what a person should know and need not mend."""
    if is_main_process():
        print(f"note: {message}")


def checkpoint_step(folder: Path) -> int:
    """The step in a checkpoint's name; -1 where it is none."""
    number = folder.name.removeprefix("checkpoint-")
    return int(number) if number.isdecimal() else -1
