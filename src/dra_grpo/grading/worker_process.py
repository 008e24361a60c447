"""The parent's end of one grading worker: how it is started, spoken to and ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError

_START_SECONDS = 120.0
_MODULE = "dra_grpo.grading.worker"


class WorkerProcess:
    """A running worker and its two pipes, neither of which ever blocks this process.

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
            bufsize=0,
            close_fds=True,  # no worker may hold another's pipe open
            cwd=os.sep,  # hold no directory that someone may want to unmount
            env=_environment(),
            start_new_session=True,  # out of reach of the terminal's Ctrl-C and of signals to the parent's group
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.stdin, False)
        os.set_blocking(self.stdout, False)
        self.ready = False
        self.deadline = time.monotonic() + _START_SECONDS
        self._unsent = b""
        self._unread = b""

    @property
    def sending(self) -> bool:
        """Whether part of the last request has not been written yet."""
        return bool(self._unsent)

    def send(self, request: dict[str, Any]) -> None:
        """Queue a request; `flush` writes as much of it as the pipe takes."""
        self._unsent += json.dumps(request).encode("ascii") + b"\n"

    def flush(self) -> None:
        """Write what fits; a worker that has died shows when its replies are read."""
        with contextlib.suppress(BlockingIOError):
            try:
                self._unsent = self._unsent[os.write(self.stdin, self._unsent) :]
            except BrokenPipeError:
                self._unsent = b""

    def receive(self) -> list[dict[str, Any]] | None:
        """The replies that have come in; None once the worker is gone."""
        try:
            data = os.read(self.stdout, 1 << 16)
        except BlockingIOError:
            return []
        if not data:
            return None
        *lines, self._unread = (self._unread + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self, patience: float = 2.0) -> int:
        """Close the pipes, upon which an idle worker leaves; one that stays is killed. Returns its exit status."""
        self._close_pipes()
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def abandon(self) -> None:
        """In a forked child: drop the copies of the pipes, and leave the worker to the parent."""
        self._close_pipes()
        self.process.returncode = 0  # not this process's child: nothing to wait for

    def _close_pipes(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()


def _environment() -> dict[str, str]:
    """This process's environment and import path, without what could break or shadow the worker's imports.

    Of the PYTHON* variables only PYTHONHOME stays. The directories of the running script and the working directory,
    where a file may be called `sympy.py`, come last.
    """
    main_file = getattr(sys.modules.get("__main__"), "__file__", None)
    exposed = {os.path.realpath(os.getcwd())} if _has_directory() else set()
    if main_file:
        exposed.add(os.path.realpath(Path(main_file).parent))
    path = [os.path.abspath(entry) for entry in sys.path if entry and os.pathsep not in entry]
    path.sort(key=lambda entry: os.path.realpath(entry) in exposed)  # stable: the rest keeps its order
    path.append(str(Path(__file__).parents[2]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON") or name == "PYTHONHOME"}
    return kept | {"PYTHONPATH": os.pathsep.join(path)}


def _has_directory() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:  # it was deleted
        return False
    return True
