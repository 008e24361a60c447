"""Completions and golds in, verdicts out: the fast paths first, the workers for the rest, nothing twice."""

from __future__ import annotations

import atexit
import os
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from dra_grpo.errors import UsageError, require
from dra_grpo.rewards.boxed import final_answer
from dra_grpo.rewards.fast_paths import fast_verdict
from dra_grpo.rewards.gold import Gold, read_gold
from dra_grpo.rewards.pool import Job, WorkerPool

_MAX_VERDICTS = 16384
_CHUNK = 4  # answers a job: few enough for an idle worker to take a share of a slow group


class Verdict(NamedTuple):
    """What was decided about one completion.

    Attributes:
        score: 1.0 right, 0.0 wrong, None where the gold allows no comparison.
        how: "text", "number" or "words" (compared as such), "mathematics"; "unboxed" (no answer), "overlong" (too
            long to parse), "timeout", "crash" (given up on, so wrong); "unscorable" (the gold).
        answer: the content of the box; None without one.
    """

    score: float | None
    how: str
    answer: str | None


class Grader:
    """Grades boxed answers; one for each set of limits and process, from `grader`.

    Args:
        workers: number of worker processes.
        seconds: CPU seconds for reading one gold, or reading and comparing one answer.
        memory: bytes of address space for a worker.

    Attributes:
        counts: how many completions were decided in each of the ways that `Verdict.how` names.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        require("math_verify", "grade", "grading answers")
        self.pool = WorkerPool(workers, seconds, memory)
        self.counts: Counter[str] = Counter()
        self._decided: dict[tuple[str, str], tuple[bool, str]] = {}
        self._no_mathematics: set[str] = set()

    def grade(self, texts: Sequence[str], golds: Sequence[object]) -> list[Verdict]:
        """A verdict for each completion.

        Args:
            texts: N completions.
            golds: N golds: answers, worked solutions with a box, or numbers.

        Returns:
            N verdicts. Equal golds are all scored or all not, whatever the completions are.

        Raises:
            UsageError: the lengths differ, or workers cannot be started.
        """
        if len(texts) != len(golds):
            raise UsageError(f"{len(texts)} completions came with {len(golds)} solutions; expected one for each")
        rows = [(read_gold(raw), final_answer(text)) for text, raw in zip(texts, golds, strict=True)]
        self._decide({(gold.text, answer): gold for gold, answer in rows if gold is not None and answer is not None})
        verdicts = [self._verdict(gold, answer) for gold, answer in rows]
        self.counts.update(verdict.how for verdict in verdicts)
        self._forget()
        return verdicts

    def _decide(self, questions: dict[tuple[str, str], Gold]) -> None:
        asked: dict[str, list[tuple[str, str]]] = {}
        for (gold_text, answer), gold in questions.items():
            if (gold_text, answer) in self._decided:
                continue
            equal, how = fast_verdict(gold, answer)
            if equal is None and gold_text in self._no_mathematics:
                self._decided[gold_text, answer] = False, "text"
            elif equal is None:
                asked.setdefault(gold_text, []).append((answer, how))
            else:
                self._decided[gold_text, answer] = equal, how
        chunks = [
            (Job(gold_text, [tidied for _, tidied in pairs[start : start + _CHUNK]]), pairs[start : start + _CHUNK])
            for gold_text, pairs in asked.items()
            for start in range(0, len(pairs), _CHUNK)
        ]
        if chunks:
            self.pool.run([job for job, _ in chunks])
        for job, pairs in chunks:
            if not job.mathematics:
                self._no_mathematics.add(job.gold)
            outcomes = job.outcomes if job.mathematics else ["text"] * len(pairs)
            for (answer, _), outcome in zip(pairs, outcomes, strict=True):
                how = "mathematics" if outcome in ("equal", "different") else outcome
                self._decided[job.gold, answer] = outcome == "equal", how

    def _verdict(self, gold: Gold | None, answer: str | None) -> Verdict:
        if gold is None:
            return Verdict(None, "unscorable", answer)
        if answer is None:
            return Verdict(0.0, "unboxed", None)
        equal, how = self._decided[gold.text, answer]
        return Verdict(float(equal), how, answer)

    def _forget(self) -> None:
        """Keep the most recent verdicts, and none that says more about the machine than about the answer."""
        for question in [question for question, (_, how) in self._decided.items() if how == "crash"]:
            del self._decided[question]
        for question in list(self._decided)[: max(0, len(self._decided) - _MAX_VERDICTS)]:
            del self._decided[question]


@cache
def grader(workers: int = 2, seconds: float = 1.0, memory: int = 1 << 30) -> Grader:
    """This process's grader with these limits; its workers end with the process, however that ends."""
    new = Grader(workers, seconds, memory)
    atexit.register(new.pool.close)
    os.register_at_fork(after_in_child=new.pool.abandon)
    return new
