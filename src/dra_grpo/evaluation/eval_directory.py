"""The folder of an evaluation: what lies where, whose it is, and that one process writes to it at a time.

settings.json          what the samples depend on
samples/TASK.jsonl     every sample, as it came
groups/TASK.jsonl      the same graded, a line a problem: saved groups, as `dra-grpo analyze` reads them
exact/TASK.json        Countdown's exact figures
results.json           all figures
pass_at_k.svg          the curves
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sample_file import SampleFile
from dra_grpo.evaluation.scoring import Scored
from dra_grpo.files import locked, read_json, write_json, write_json_lines


class EvalDirectory:
    """`--out` of an evaluation."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.settings = self.path / "settings.json"
        self.results = self.path / "results.json"
        self.plot = self.path / "pass_at_k.svg"

    def locked(self) -> AbstractContextManager[None]:
        """Hold the folder.

        Raises:
            UsageError: another process holds it, or it cannot be written.
        """
        return locked(self.path, "evaluation", "--out")

    def claim(self, identity: Mapping[str, Any]) -> None:
        """Record what the samples depend on, once it is sure that those already here depend on the same.

        Raises:
            UsageError: they do not; the message names what differs.
        """
        before = read_json(self.settings)
        sampled = {task: values for task, values in before.get("tasks", {}).items() if self._holds_samples(task)}
        if sampled:
            changed = list(_changes(before, identity, skip="tasks"))
            for task in identity["tasks"].keys() & sampled.keys():
                changed += _changes(sampled[task], identity["tasks"][task], prefix=f"{task} ")
            if changed:
                raise UsageError(
                    f"{self.path} holds samples of other settings ({'; '.join(changed)}); take another --out, or the "
                    "same settings to go on"
                )
        write_json(self.settings, {**identity, "tasks": {**sampled, **identity["tasks"]}})

    def _holds_samples(self, task: str) -> bool:
        file = self.samples_file(task)
        return file.exists() and file.stat().st_size > 0

    def samples_file(self, task: str) -> Path:
        """Where a task's samples lie."""
        return self.path / "samples" / f"{task}.jsonl"

    def samples(self, task: str) -> SampleFile:
        """The samples of a task, those of earlier runs among them."""
        return SampleFile(self.samples_file(task))

    def exact(self, task: str) -> Path:
        """Where a task's exact figures lie."""
        return self.path / "exact" / f"{task}.json"

    def write_groups(self, task: str, scored: Sequence[Scored]) -> None:
        """All samples of a task as saved groups."""
        groups = [
            {
                "id": one.question.id,
                "prompt": one.question.problem,
                "answer": one.question.answer,
                "completions": [sample.text for sample in one.samples],
                **({} if one.correct is None else {"correct": one.correct}),
                "answers": one.answers,
                "tokens": [sample.tokens for sample in one.samples],
                "truncated": [sample.truncated for sample in one.samples],
                "source": task,
            }
            for one in scored
        ]
        write_json_lines(self.path / "groups" / f"{task}.jsonl", groups)


def _changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "", skip: str = "") -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if name != skip and before.get(name) != now.get(name):
            yield f"{prefix}{name} {before.get(name)!r}, now {now.get(name)!r}"
