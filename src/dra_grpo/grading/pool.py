"""Grading workers at work: pairs in, outcomes out, whatever the answers do to the workers."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import zlib
from collections import deque
from pathlib import Path

from dra_grpo.errors import UsageError

logger = logging.getLogger(__name__)

Pair = tuple[str, str]  # gold and answer, both tidied

# CPU time is the limit; the clock only catches a worker that is stopped or starved, at this multiple of it.
_CLOCK_FACTOR = 15.0
_START_SECONDS = 120.0
_MODULE = "dra_grpo.grading.worker"


class WorkerPool:
    """Up to `workers` grading processes, started when there is work and replaced when they die.

    While there is work, one thread speaks to each. Calls from several threads take turns. A gold goes to the same
    worker each time, which parses it once, unless that worker is busy and another idle.

    Args:
        workers: how many.
        seconds: CPU seconds for one item, a gold or an answer.
        memory: bytes of address space for each.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        self.seconds, self.memory = seconds, memory
        self._slots: list[WorkerProcess | None] = [None] * workers
        self._mathematics: dict[str, bool] = {}
        self._lock = threading.Lock()
        # Of the call of `run` in progress:
        self._queues: list[deque[Pair]] = []
        self._outcomes: dict[Pair, str] = {}
        self._failure: BaseException | None = None

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that have been started."""
        return [worker.process.pid for worker in self._slots if worker]

    def run(self, pairs: list[Pair]) -> dict[Pair, str]:
        """Compare answers with golds.

        Args:
            pairs: golds and answers.

        Returns:
            For each pair "equal", "different", "timeout", "crash" or, where the gold is no mathematics, "text".

        Raises:
            UsageError: a worker could not be started.
        """
        with self._lock:
            self._queues, self._outcomes, self._failure = [deque() for _ in self._slots], {}, None
            for pair in pairs:
                self._queues[zlib.crc32(pair[0].encode("utf-8", "surrogatepass")) % len(self._slots)].append(pair)
            at_work, ended = 0, threading.Semaphore(0)
            try:
                for slot in range(min(len(self._slots), len(pairs))):
                    threading.Thread(target=self._work, args=(slot, ended), daemon=True).start()
                    at_work += 1
                for _ in range(at_work):
                    ended.acquire()
                    at_work -= 1
            except BaseException as error:
                # Ctrl-C among them: whoever is halfway through a pair is of no use any more.
                self._failure = error
                for worker in filter(None, self._slots):
                    worker.process.kill()
                for _ in range(at_work):
                    ended.acquire()
            if self._failure:
                raise self._failure
            return self._outcomes

    def close(self) -> None:
        """Let the workers go, unless they are at work; `run` starts new ones."""
        if self._lock.acquire(
            blocking=False
        ):  # a daemon thread may hold it for good: the pipes close with the process
            for slot in range(len(self._slots)):
                self._drop(slot)
            self._lock.release()

    def abandon(self) -> None:
        """In a forked child: forget the parent's workers, and the state of its lock."""
        self._lock = threading.Lock()
        for worker in filter(None, self._slots):
            worker.close_pipes()
            worker.process.returncode = 0  # not this process's child: nothing to wait for
        self._slots = [None] * len(self._slots)

    def _work(self, slot: int, ended: threading.Semaphore) -> None:
        """What the thread of one worker does: its own queue, then what is last in the longest of the others."""
        try:
            while any(self._queues) and not self._failure:
                with contextlib.suppress(IndexError):  # another thread was faster
                    gold, answer = (self._queues[slot] or max(self._queues, key=len)).popleft()
                    self._outcomes[gold, answer] = self._outcome(slot, gold, answer)
        except Exception as error:
            self._failure = self._failure or error
            self._drop(slot)
        ended.release()

    def _outcome(self, slot: int, gold: str, answer: str) -> str:
        if gold not in self._mathematics:
            found = self._ask(slot, gold)
            if isinstance(found, str):
                logger.warning("gold answer %.200r: %s while reading it; it is compared as text", gold, found)
            self._mathematics[gold] = found is True
        if not self._mathematics[gold]:
            return "text"
        equal = self._ask(slot, gold, answer)
        return equal if isinstance(equal, str) else "equal" if equal else "different"

    def _ask(self, slot: int, *question: str) -> bool | str:
        """The worker's reply: "timeout" if the question used up its time, "crash" if it killed two workers.

        A question whose worker has died is asked once more, since the cause may lie outside.
        """
        for attempt in range(2):
            worker = self._slots[slot]
            if worker is None or worker.process.poll() is not None:  # it died idle, which is no verdict on anything
                self._drop(slot)
                worker = self._slots[slot] = WorkerProcess(self.seconds, self.memory)
            try:
                reply = worker.ask(question)
            except (EOFError, BrokenPipeError, TimeoutError) as error:
                status = self._drop(slot)
                if self._failure:
                    raise
                if attempt and not worker.ready:
                    raise UsageError(
                        f"grading workers died or hung before they were ready (exit status {status}); to see why, "
                        f"run `python -m {_MODULE} {self.seconds} {self.memory}`"
                    ) from error
                if status == -signal.SIGPROF or (attempt and isinstance(error, TimeoutError)):
                    return "timeout"
            else:
                if reply["retire"]:
                    self._drop(slot)
                return reply["answer"]
        return "crash"

    def _drop(self, slot: int) -> int | None:
        worker, self._slots[slot] = self._slots[slot], None
        return worker.close() if worker else None


class WorkerProcess:
    """The parent's end of one worker.

    Args:
        seconds: CPU time the worker may spend on one item.
        memory: its address space in bytes.
    """

    def __init__(self, seconds: float, memory: int):
        if not sys.executable:
            raise UsageError("grading starts worker processes, but sys.executable is empty; run under a Python binary")
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, str(seconds), str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.sep,  # hold no directory that someone may want to unmount
            env=_environment(),
            start_new_session=True,  # out of reach of the terminal's Ctrl-C and of signals to the parent's group
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._requests, self._replies = self.process.stdin, self.process.stdout
        self.ready, self._patience = False, _CLOCK_FACTOR * seconds
        self._poll = select.poll()
        self._poll.register(self._replies, select.POLLIN)

    def ask(self, question: tuple[str, ...]) -> dict:
        """Send a gold, or a gold and an answer, once the worker is ready; its reply.

        Raises:
            EOFError, BrokenPipeError: the worker has gone.
            TimeoutError: nothing came for too long by the clock.
            UsageError: it could not start.
        """
        if not self.ready:
            greeting = self._receive(_START_SECONDS)
            if "error" in greeting:
                raise UsageError(f"a grading worker could not start: {greeting['error']}")
            self.ready = True
        self._requests.write(json.dumps(question).encode("ascii") + b"\n")
        self._requests.flush()
        return self._receive(self._patience)

    def _receive(self, seconds: float) -> dict:
        if not self._poll.poll(seconds * 1000):
            self.process.kill()
            raise TimeoutError
        line = self._replies.readline()
        if not line:
            raise EOFError
        return json.loads(line)

    def close(self, patience: float = 2.0) -> int:
        """Close the pipes, upon which an idle worker leaves; one that stays is killed. Returns its exit status."""
        self.close_pipes()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def close_pipes(self) -> None:
        """Close this process's ends."""
        with contextlib.suppress(BrokenPipeError):  # what it could not be told does not matter any more
            self._requests.close()
        self._replies.close()


def _environment() -> dict[str, str]:
    """This process's environment and import path, without what could break or shadow the worker's imports.

    Of the PYTHON* variables only PYTHONHOME stays. The directories of the running script and the working directory,
    where a file may be called `sympy.py`, are left out.
    """
    exposed = {os.path.dirname(os.path.realpath(getattr(sys.modules.get("__main__"), "__file__", None) or os.sep))}
    with contextlib.suppress(FileNotFoundError):  # it was deleted
        exposed.add(os.path.realpath(os.getcwd()))
    path = [entry for entry in sys.path if os.path.isabs(entry) and os.path.realpath(entry) not in exposed]
    path.append(str(Path(__file__).parents[2]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name == "PYTHONHOME"}
    return kept | {"PYTHONPATH": os.pathsep.join(path)}
