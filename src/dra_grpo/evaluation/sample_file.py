"""Samples on disk: one JSON line each, written as they come, read back after a kill at any point."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sampler import Key, Sample
from dra_grpo.files import append_json_lines


@dataclass
class SampleFile:
    """The samples of one benchmark.

    Attributes:
        path: where they lie.
        samples: all that the file holds.
        seconds: how long drawing them took.
        device_seconds: the same, each second counted once for every accelerator at work.

    Raises:
        UsageError: a whole line is no sample, or a sample is there twice.
    """

    path: Path

    def __post_init__(self) -> None:
        self.samples: dict[Key, Sample] = {}
        self.seconds = self.device_seconds = 0.0
        if self.path.exists():
            self._read()

    def append(self, samples: Sequence[Sample], seconds: float, devices: int) -> None:
        """Add what has just been drawn, in one write: a kill leaves all of it, or a part that ends in half a line.

        Args:
            samples: what came.
            seconds: since the last that came before them.
            devices: accelerators at work meanwhile.
        """
        share = seconds / len(samples)
        for sample in samples:
            self._take(sample, share, share * devices)
        append_json_lines(
            self.path,
            [
                {
                    "id": sample.key.id,
                    "sample": sample.key.sample,
                    "completion": sample.text,
                    "tokens": sample.tokens,
                    "truncated": sample.truncated,
                    "seconds": round(share, 6),
                    "device_seconds": round(share * devices, 6),
                }
                for sample in samples
            ],
        )

    def _take(self, sample: Sample, seconds: float, device_seconds: float) -> None:
        if sample.key in self.samples:
            raise UsageError(f"{self.path} holds sample {sample.key.sample} of problem {sample.key.id!r} twice")
        self.samples[sample.key] = sample
        self.seconds += seconds
        self.device_seconds += device_seconds

    def _read(self) -> None:
        """Read every whole line, and cut off what a kill left of the last one."""
        whole = 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                try:
                    record = json.loads(line)
                    sample = Sample(
                        Key(record["id"], record["sample"]),
                        record["completion"],
                        record["tokens"],
                        record["truncated"],
                    )
                    times = float(record["seconds"]), float(record["device_seconds"])
                except (ValueError, KeyError, TypeError) as error:
                    raise UsageError(
                        f"{self.path}, line {number} is no sample ({type(error).__name__}: {error}); remove that line "
                        "and the sample is drawn again"
                    ) from error
                self._take(sample, *times)
        if whole < self.path.stat().st_size:
            os.truncate(self.path, whole)
