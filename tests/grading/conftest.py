"""Real processes for the tests of the grading workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def gone() -> Callable[..., bool]:
    """Whether processes end within a time; a zombie has ended."""

    def alive(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def wait(pids: list[int], seconds: float = 20) -> bool:
        assert pids, "there is no process to wait for"
        end = time.monotonic() + seconds
        while any(alive(pid) for pid in pids):
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a Python script, as a file of its own, in a session of its own; killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *, name: str = "script.py", cwd: Path | None = None, **env: str) -> subprocess.Popen[str]:
        path = tmp_path / name
        path.write_text(code)
        process = subprocess.Popen(
            [sys.executable, str(path)],
            cwd=cwd or tmp_path,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
