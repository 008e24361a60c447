"""The folder of an evaluation: every sample as it came, whose they are, and what they were graded as.

settings.json          what the samples depend on
samples/TASK.jsonl     every sample, a line each, written as they come
groups/TASK.jsonl      the same graded, a line a problem: saved groups, as `dra-grpo analyze` reads them
results.json           all results
pass_at_k.svg          the curves
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sampler import Sample
from dra_grpo.files import append_json_lines, json_lines, read_json, write_json


class SampleFile:
    """The samples of one benchmark on disk, read back after a kill at any point.

    Attributes:
        samples: all that the file holds, by problem id and number.
        seconds: how long drawing them took.
        device_seconds: the same, each second counted once for every accelerator at work.

    Args:
        path: where they lie.

    Raises:
        UsageError: a whole line is no sample, or a sample is there twice.
    """

    def __init__(self, path: Path):
        self.path = path
        self.samples: dict[tuple[str, int], Sample] = {}
        self.seconds = self.device_seconds = 0.0
        if not path.exists():
            return
        for number, record in enumerate(json_lines(path), 1):
            try:
                self._take(**record)
            except TypeError as error:
                raise UsageError(
                    f"{path}, line {number} is no sample ({error}); remove that line and it is drawn again"
                ) from error
        with path.open("rb+") as stream:  # a kill may leave half a line at the end
            stream.truncate(stream.read().rfind(b"\n") + 1)

    def append(self, samples: Sequence[Sample], seconds: float, devices: int) -> None:
        """Add what has just been drawn, in one write: a kill leaves all of it, or a part that ends in half a line.

        Args:
            samples: what came.
            seconds: since the last that came before them.
            devices: accelerators at work meanwhile.
        """
        share = round(seconds / len(samples), 6)
        times = {"seconds": share, "device_seconds": share * devices}
        records = [asdict(sample) | times for sample in samples]
        for record in records:
            self._take(**record)
        append_json_lines(self.path, records)

    def _take(self, seconds: float, device_seconds: float, **fields: Any) -> None:
        sample = Sample(**fields)
        if (sample.id, sample.number) in self.samples:
            raise UsageError(f"{self.path} holds sample {sample.number} of problem {sample.id!r} twice")
        self.samples[sample.id, sample.number] = sample
        self.seconds += seconds
        self.device_seconds += device_seconds


def samples_file(out: Path, task: str) -> Path:
    """Where a task's samples lie."""
    return out / "samples" / f"{task}.jsonl"


def claim(out: Path, model: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Record what the samples depend on, once it is sure that those already here depend on the same.

    Args:
        out: the evaluation's folder.
        model: name -> value, for every task.
        tasks: task -> name -> value, for its own samples.

    Raises:
        UsageError: they do not; the message names what differs.
    """
    before = read_json(out / "settings.json")
    for task, old in before.items():
        now = {**old, **model, **tasks.get(task, {})}
        changed = [f"{name} {old.get(name)!r}, now {value!r}" for name, value in now.items() if old.get(name) != value]
        if changed and (file := samples_file(out, task)).exists() and file.stat().st_size:
            raise UsageError(
                f"{out} holds samples of {task} with other settings ({'; '.join(changed)}); take another --out, "
                "or the same settings to go on"
            )
    write_json(out / "settings.json", {**before, **{task: {**model, **own} for task, own in tasks.items()}})
