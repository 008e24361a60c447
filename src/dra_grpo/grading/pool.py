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
from typing import Any

from dra_grpo.errors import UsageError

logger = logging.getLogger(__name__)

Pair = tuple[str, str]  # gold and answer, both tidied

# CPU time is the limit; the clock only catches a worker that is stopped or starved, at this multiple of it.
_CLOCK_FACTOR = 15.0
_START_SECONDS = 120.0
_MODULE = "dra_grpo.grading.worker"


class Worker:
    """The parent's end of one grading process, which is started when it is asked something and is not there.

    Args:
        seconds: CPU time it may spend on one item.
        memory: its address space in bytes.

    Attributes:
        process: the process; None before the first question, and once it was let go.
        ready: whether it has said that it has imported what it needs.
        halted: whether it may be started no more.
    """

    def __init__(self, seconds: float, memory: int):
        self.limits = seconds, memory
        self.process: Any = None
        self.ready = self.halted = False

    def ask(self, *question: str) -> bool | str:
        """The reply to a gold, or to a gold and an answer.

        A question whose process has died is asked once more, since the cause may lie outside.

        Returns:
            The reply; "timeout" if the question used up its time, "crash" if it killed two processes.

        Raises:
            UsageError: no process could be started.
            InterruptedError: `halted`.
        """
        for attempt in range(2):
            if self.halted:
                raise InterruptedError
            if self.process is None or self.process.poll() is not None:  # it died idle: no answer is to blame
                self.stop()
                self._start()
            try:
                reply = self._reply(question)
            except (EOFError, BrokenPipeError, TimeoutError) as error:
                status = self.stop()
                if attempt and not self.ready:
                    found = f"grading workers died or hung before they were ready (exit status {status})"
                    command = " ".join(["python -m", _MODULE, *map(str, self.limits)])
                    raise UsageError(f"{found}; to see why, run `{command}`") from error
                if status == -signal.SIGPROF or (attempt and isinstance(error, TimeoutError)):
                    return "timeout"
            else:
                if reply["retire"]:
                    self.stop()
                return reply["answer"]
        return "crash"

    def halt(self) -> None:
        """Kill the process, whatever it is at, and start no other."""
        self.halted = True
        if process := self.process:
            process.kill()

    def stop(self) -> int | None:
        """Close the pipes, upon which an idle process leaves; one that stays is killed. Returns its exit status."""
        process = self.abandon()
        try:
            return process and process.wait(2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def abandon(self) -> Any:
        """Close this process's ends of the pipes, forget the other process, and return it."""
        process, self.process = self.process, None
        if process:
            with contextlib.suppress(BrokenPipeError):  # what it could not be told does not matter any more
                process.stdin.close()
            process.stdout.close()
        return process

    def _start(self) -> None:
        self.ready = False
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE, *map(str, self.limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=os.sep,  # hold no directory that someone may want to unmount
            env=_environment(),
            start_new_session=True,  # out of reach of the terminal's Ctrl-C and of signals to the parent's group
        )
        self._poll = select.poll()
        self._poll.register(self.process.stdout, select.POLLIN)

    def _reply(self, question: tuple[str, ...]) -> dict[str, Any]:
        """Raises EOFError or BrokenPipeError where the process has gone, TimeoutError where nothing came for long."""
        if not self.ready:
            greeting = self._received(_START_SECONDS)
            if "error" in greeting:
                raise UsageError(f"a grading worker could not start: {greeting['error']}")
            self.ready = True
        self.process.stdin.write(json.dumps(question).encode("ascii") + b"\n")
        self.process.stdin.flush()
        return self._received(_CLOCK_FACTOR * self.limits[0])

    def _received(self, seconds: float) -> dict[str, Any]:
        if not self._poll.poll(seconds * 1000):
            self.process.kill()
            raise TimeoutError
        line = self.process.stdout.readline()
        if not line:
            raise EOFError
        return json.loads(line)


class WorkerPool:
    """Up to `workers` grading processes, started when there is work and replaced when they die.

    While there is work, one thread speaks to each. Calls from several threads take turns.

    Args:
        workers: how many.
        seconds: CPU seconds for one item, a gold or an answer.
        memory: bytes of address space for each.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        self.workers = [Worker(seconds, memory) for _ in range(workers)]
        self._mathematics: dict[str, bool] = {}
        self._lock = threading.Lock()

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers that have been started."""
        return [process.pid for worker in self.workers if (process := worker.process)]

    def run(self, pairs: list[Pair]) -> dict[Pair, str]:
        """Compare answers with golds.

        Args:
            pairs: golds and answers.

        Returns:
            For each pair "equal", "different", "timeout", "crash" or, where the gold is no mathematics, "text".

        Raises:
            UsageError: a worker could not be started.
        """
        with self._lock, ThreadPoolExecutor(len(self.workers)) as threads:
            idle = list(self.workers)  # as many as there are threads
            size = ceil(len(pairs) / (8 * len(idle)))  # neighbours have one gold, which is then parsed once

            def outcomes(start: int) -> dict[Pair, str]:
                worker = idle.pop()
                try:
                    return {pair: self._outcome(worker, *pair) for pair in pairs[start : start + size]}
                finally:
                    idle.append(worker)

            try:
                parts = threads.map(outcomes, range(0, len(pairs), size))
                return {pair: outcome for part in parts for pair, outcome in part.items()}
            except BaseException:  # Ctrl-C among them: whoever is halfway through a pair is of no use any more
                halted, self.workers = self.workers, [Worker(*worker.limits) for worker in self.workers]
                for worker in halted:
                    worker.halt()
                threads.shutdown()
                for worker in halted:
                    worker.stop()
                raise

    def close(self) -> None:
        """Let the workers go, unless they are at work; `run` starts new ones."""
        if self._lock.acquire(blocking=False):
            for worker in self.workers:
                worker.stop()
            self._lock.release()

    def abandon(self) -> None:
        """In a forked child: forget the parent's workers, and the state of its lock."""
        self._lock = threading.Lock()
        for worker in self.workers:
            if process := worker.abandon():
                process.returncode = 0  # not this process's child: nothing to wait for

    def _outcome(self, worker: Worker, gold: str, answer: str) -> str:
        if gold not in self._mathematics:
            found = worker.ask(gold)
            if isinstance(found, str):
                logger.warning("gold answer %.200r: %s while reading it; it is compared as text", gold, found)
            self._mathematics[gold] = found is True
        equal = worker.ask(gold, answer) if self._mathematics[gold] else "text"
        return equal if isinstance(equal, str) else "equal" if equal else "different"


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
