"""Grading workers at work: jobs in, outcomes out, whatever the answers do to the workers."""

from __future__ import annotations

import logging
import selectors
import signal
import threading
import time
import zlib
from collections import deque
from dataclasses import dataclass, field

from dra_grpo.errors import UsageError
from dra_grpo.grading.worker_process import WorkerProcess

logger = logging.getLogger(__name__)

# CPU time is the limit; the clock only catches a worker that is stopped or starved, at this multiple of it.
_CLOCK_FACTOR = 15.0


@dataclass
class Job:
    """One gold and the answers to compare with it.

    Attributes:
        outcomes: per answer "equal", "different", "timeout" or "crash"; filled by `WorkerPool.run`.
        mathematics: whether the gold could be read as mathematics; if not, `outcomes` stays empty.
    """

    gold: str
    answers: list[str]
    outcomes: list[str] = field(default_factory=list)
    mathematics: bool | None = None
    failed_at: int | None = None


class WorkerPool:
    """Up to `workers` grading processes, started when there is work and replaced when they die.

    Calls from several threads take turns. A gold goes to the same worker each time, which parses it once, unless
    that worker is busy and another idle.

    Args:
        workers: how many.
        seconds: CPU seconds for one item, a gold or an answer.
        memory: bytes of address space for each.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        self.seconds, self.memory = seconds, memory
        self._slots: list[WorkerProcess | None] = [None] * workers
        self._lock = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that have been started."""
        return [worker.process.pid for worker in self._slots if worker]

    @property
    def busy(self) -> bool:
        """Whether a call of `run` is in progress."""
        return self._lock.locked()

    def run(self, jobs: list[Job]) -> None:
        """Fill in every job.

        Raises:
            UsageError: a worker could not be started.
        """
        with self._lock:
            _Run(self._slots, self.seconds, self.memory, jobs).finish()

    def close(self) -> None:
        """Let the workers go; `run` starts new ones."""
        with self._lock:
            for slot, worker in enumerate(self._slots):
                if worker:
                    worker.close()
                self._slots[slot] = None

    def abandon(self) -> None:
        """In a forked child: forget the parent's workers, and the state of its lock."""
        self._lock = threading.Lock()
        for slot, worker in enumerate(self._slots):
            if worker:
                worker.abandon()
            self._slots[slot] = None


class _Run:
    """One call of `WorkerPool.run`: the queues, and who works on what."""

    def __init__(self, slots: list[WorkerProcess | None], seconds: float, memory: int, jobs: list[Job]):
        self.slots, self.seconds, self.memory = slots, seconds, memory
        self.queues: list[deque[Job]] = [deque() for _ in slots]
        for job in jobs:
            self.queues[zlib.crc32(job.gold.encode("utf-8", "surrogatepass")) % len(slots)].append(job)
        self.busy: dict[int, Job] = {}
        self.waiting = len(jobs)
        self.failed_starts = 0

    def finish(self) -> None:
        try:
            while self.waiting or self.busy:
                self._assign()
                self._listen()
        finally:  # after an exception (Ctrl-C among them) whoever is halfway through a job is of no use any more
            for slot in self.busy:
                if worker := self.slots[slot]:
                    worker.process.kill()
                    self._drop(slot)

    def _assign(self) -> None:
        for slot in range(len(self.slots)):
            if slot in self.busy or not self.waiting:
                continue
            queue = self.queues[slot] or max(self.queues, key=len)
            job = queue.popleft()
            self.waiting -= 1
            self.busy[slot] = job
            worker = self.slots[slot]
            if worker and worker.process.poll() is not None:  # it died idle, which is no verdict on anything
                self._drop(slot)
                worker = None
            if worker is None:
                worker = self.slots[slot] = WorkerProcess(self.seconds, self.memory)
            worker.send({"gold": job.gold, "answers": job.answers[len(job.outcomes) :]})
            if worker.ready:
                self._extend(worker)

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for slot in self.busy:
                worker = self._worker(slot)
                selector.register(worker.stdout, selectors.EVENT_READ, slot)
                if worker.ready and worker.sending:
                    selector.register(worker.stdin, selectors.EVENT_WRITE, slot)
            deadline = min(self._worker(slot).deadline for slot in self.busy)
            for key, event in selector.select(max(0.0, deadline - time.monotonic())):
                if event & selectors.EVENT_WRITE and key.data in self.busy:
                    self._worker(key.data).flush()
                elif event & selectors.EVENT_READ and key.data in self.busy:
                    self._read(key.data)
        for slot in [slot for slot in self.busy if self._worker(slot).deadline < time.monotonic()]:
            self._worker(slot).process.kill()
            self._bury(slot, late=True)

    def _read(self, slot: int) -> None:
        worker = self._worker(slot)
        replies = worker.receive()
        if replies is None:
            self._bury(slot)
            return
        for reply in replies:
            job = self.busy[slot]
            if "error" in reply:
                raise UsageError(f"a grading worker could not start: {reply['error']}")
            if "ready" in reply:
                worker.ready = True
            elif "gold" in reply:
                job.mathematics = reply["gold"]
            elif "equal" in reply:
                job.outcomes.append("equal" if reply["equal"] else "different")
            elif "done" in reply:
                del self.busy[slot]
                if reply["retire"]:
                    self._drop(slot)
        self._extend(worker)

    def _bury(self, slot: int, late: bool = False) -> None:
        """A worker has died at its item, or is late: a timeout if the item used up its time.

        Otherwise the item is tried once more, since the cause may lie outside. The other items go on.
        """
        worker, job = self._worker(slot), self.busy.pop(slot)
        status = self._drop(slot)
        item = len(job.outcomes) if job.mathematics else -1
        if not worker.ready:
            self.failed_starts += 1
            if self.failed_starts > 1:
                raise UsageError(
                    f"grading workers died or hung before they were ready (exit status {status}); to see why, "
                    f"run `python -m dra_grpo.grading.worker {self.seconds} {self.memory}`"
                )
        elif status == -signal.SIGPROF or (late and job.failed_at == item):
            self._give_up(job, "timeout")
        elif job.failed_at == item:
            self._give_up(job, "crash")
        else:
            job.failed_at = item
        if job.mathematics is not False and len(job.outcomes) < len(job.answers):
            self.queues[slot].appendleft(job)
            self.waiting += 1

    def _give_up(self, job: Job, outcome: str) -> None:
        if job.mathematics:
            job.outcomes.append(outcome)
        else:
            job.mathematics = False
            logger.warning("gold answer %.200r: %s while reading it; it is compared as text", job.gold, outcome)

    def _drop(self, slot: int) -> int:
        worker, self.slots[slot] = self._worker(slot), None
        return worker.close()

    def _worker(self, slot: int) -> WorkerProcess:
        worker = self.slots[slot]
        assert worker is not None
        return worker

    def _extend(self, worker: WorkerProcess) -> None:
        worker.deadline = time.monotonic() + _CLOCK_FACTOR * self.seconds
