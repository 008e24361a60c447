"""Grading workers at work: pairs in, outcomes out, whatever the answers do to the workers."""

import contextlib
import json
import logging
import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from math import ceil
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

    While there is work, one thread speaks to each. Calls from several threads take turns.

    Args:
        workers: how many.
        seconds: CPU seconds for one item, a gold or an answer.
        memory: bytes of address space for each.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        self.seconds, self.memory = seconds, memory
        self._slots: list[WorkerProcess | None] = [None] * workers
        self._idle = list(range(workers))
        self._mathematics: dict[str, bool] = {}
        self._lock = threading.Lock()
        self._stopped = False

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
        with self._lock, ThreadPoolExecutor(len(self._slots)) as threads:
            self._idle, self._stopped = list(range(len(self._slots))), False
            size = ceil(len(pairs) / (8 * len(self._slots)))  # neighbours have one gold, which is then parsed once
            try:
                parts = threads.map(self._outcomes, [pairs[at : at + size] for at in range(0, len(pairs), size)])
                return {pair: outcome for part in parts for pair, outcome in part.items()}
            except BaseException:  # Ctrl-C among them: whoever is halfway through a pair is of no use any more
                self._stopped = True
                for worker in filter(None, self._slots):
                    worker.process.kill()
                threads.shutdown()
                self._drop_all()
                raise

    def close(self) -> None:
        """Let the workers go, unless they are at work; `run` starts new ones."""
        if self._lock.acquire(blocking=False):
            self._drop_all()
            self._lock.release()

    def abandon(self) -> None:
        """In a forked child: forget the parent's workers, and the state of its lock."""
        self._lock = threading.Lock()
        for worker in filter(None, self._slots):
            worker.close_pipes()
            worker.process.returncode = 0  # not this process's child: nothing to wait for
        self._slots = [None] * len(self._slots)

    def _outcomes(self, pairs: list[Pair]) -> dict[Pair, str]:
        slot = self._idle.pop()  # there are as many threads as slots
        try:
            return {pair: self._outcome(slot, *pair) for pair in pairs}
        finally:
            self._idle.append(slot)

    def _outcome(self, slot: int, gold: str, answer: str) -> str:
        if gold not in self._mathematics:
            found = self._ask(slot, gold)
            if isinstance(found, str):
                logger.warning("gold answer %.200r: %s while reading it; it is compared as text", gold, found)
            self._mathematics[gold] = found is True
        equal = self._ask(slot, gold, answer) if self._mathematics[gold] else "text"
        return equal if isinstance(equal, str) else "equal" if equal else "different"

    def _ask(self, slot: int, *question: str) -> bool | str:
        """The worker's reply: "timeout" if the question used up its time, "crash" if it killed two workers.

        A question whose worker has died is asked once more, since the cause may lie outside.
        """
        for attempt in range(2):
            if self._stopped:
                raise InterruptedError
            worker = self._slots[slot]
            if worker is None or worker.process.poll() is not None:  # it died idle, which says nothing of any answer
                self._drop(slot)
                worker = self._slots[slot] = WorkerProcess(self.seconds, self.memory)
            try:
                reply = worker.ask(question)
            except (EOFError, BrokenPipeError, TimeoutError) as error:
                status = self._drop(slot)
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

    def _drop_all(self) -> None:
        for slot in range(len(self._slots)):
            self._drop(slot)


class WorkerProcess:
    """The parent's end of one worker.

    Args:
        seconds: CPU time the worker may spend on one item.
        memory: its address space in bytes.
    """

    def __init__(self, seconds: float, memory: int):
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

    def close(self) -> int:
        """Close the pipes, upon which an idle worker leaves; one that stays is killed. Returns its exit status."""
        self.close_pipes()
        try:
            return self.process.wait(2.0)
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
