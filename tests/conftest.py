"""A real model server in a process of its own, for whatever talks to one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest


class ModelServer:
    """A running `model_server.py`: its address, its faults, its log."""

    def __init__(self, port: int):
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/v1"

    def fail(self, *faults):
        """Set what happens to the next requests, and empty the log."""
        self._tell("faults", list(faults))

    def pause(self, seconds: float):
        self._tell("pause", seconds)

    @property
    def log(self):
        with urlopen(f"{self.root}/log") as response:
            return json.loads(response.read())

    def _tell(self, path, value):
        urlopen(Request(f"{self.root}/{path}", json.dumps(value).encode(), method="POST")).close()


@pytest.fixture(scope="session")
def running_server():
    script = Path(__file__).with_name("model_server.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield ModelServer(int(process.stdout.readline()))
        process.kill()


@pytest.fixture
def server(running_server):
    """The server, told of no fault, its log empty."""
    running_server.fail()
    running_server.pause(0)
    return running_server
