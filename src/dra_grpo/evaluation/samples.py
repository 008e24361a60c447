"""The folder of an evaluation: every sample as it came, whose they are, and what they were graded as.

settings.json          what the samples depend on
samples/TASK.jsonl     every sample, a line each, written as they come
groups/TASK.jsonl      the same graded, a line a problem: saved groups, as `dra-grpo analyze` reads them
results.json           all results
pass_at_k.svg          the curves
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sampler import Key, Sample
from dra_grpo.files import append_json_lines, json_lines, read_json, write_json


class SampleFile:
    """The samples of one benchmark on disk, read back after a kill at any point.

    Attributes:
        samples: all that the file holds.
        seconds: how long drawing them took.
        device_seconds: the same, each second counted once for every accelerator at work.

    Args:
        path: where they lie.

    Raises:
        UsageError: a whole line is no sample, or a sample is there twice.
    """

    def __init__(self, path: Path):
        self.path = path
        self.samples: dict[Key, Sample] = {}
        self.seconds = self.device_seconds = 0.0
        if not path.exists():
            return
        for number, record in enumerate(json_lines(path), 1):
            try:
                self._take(record)
            except KeyError as error:
                raise UsageError(
                    f"{path}, line {number} is no sample, it has no {error}; remove that line and it is drawn again"
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
        records = [
            {
                "id": sample.key.id,
                "sample": sample.key.sample,
                "completion": sample.text,
                "tokens": sample.tokens,
                "truncated": sample.truncated,
                "seconds": share,
                "device_seconds": share * devices,
            }
            for sample in samples
        ]
        for record in records:
            self._take(record)
        append_json_lines(self.path, records)

    def _take(self, record: dict[str, Any]) -> None:
        key = Key(record["id"], record["sample"])
        if key in self.samples:
            raise UsageError(f"{self.path} holds sample {key.sample} of problem {key.id!r} twice")
        self.samples[key] = Sample(key, record["completion"], record["tokens"], record["truncated"])
        self.seconds += record["seconds"]
        self.device_seconds += record["device_seconds"]


def samples_file(out: Path, task: str) -> Path:
    """Where a task's samples lie."""
    return out / "samples" / f"{task}.jsonl"


def claim(out: Path, identity: Mapping[str, Any]) -> None:
    """Record what the samples depend on, once it is sure that those already here depend on the same.

    Args:
        out: the evaluation's folder.
        identity: from `EvalSettings.identity`.

    Raises:
        UsageError: they do not; the message names what differs.
    """
    before = read_json(out / "settings.json")
    files = {task: samples_file(out, task) for task in before.get("tasks", {})}
    sampled = {task: before["tasks"][task] for task, file in files.items() if file.exists() and file.stat().st_size}
    old, now = (_flat(settings, sampled.keys() & identity["tasks"].keys()) for settings in (before, identity))
    changed = [f"{name} {old.get(name)!r}, now {value!r}" for name, value in now.items() if old.get(name) != value]
    if sampled and changed:
        raise UsageError(
            f"{out} holds samples of other settings ({'; '.join(changed)}); take another --out, or the same settings "
            "to go on"
        )
    write_json(out / "settings.json", {**identity, "tasks": {**sampled, **identity["tasks"]}})


def _flat(settings: Mapping[str, Any], tasks: Collection[str]) -> dict[str, Any]:
    """Name -> value, those of `tasks` with the task before the name."""
    own = {name: value for name, value in settings.items() if name != "tasks"}
    return own | {f"{task} {name}": value for task in tasks for name, value in settings["tasks"][task].items()}
