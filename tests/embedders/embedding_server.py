"""A small `/v1/embeddings` server for tests: it really embeds (letter counts), and fails where it is told to.

`POST /faults` with a list sets what happens to the next requests, one entry each: a status, "drop" (the connection is
closed), "half" (the body stops in the middle), "slow" (an answer after 1.5 seconds), or an object
{"status", "headers", "body"}. `GET /log` gives the requests so far. Prints its port on start.
"""

from __future__ import annotations

import json
import random
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

faults: list = []
log: list[dict] = []
lock = Lock()


def embedding(text: str) -> list[float]:
    vector = [0.0] * 24
    for position, character in enumerate(text):
        vector[ord(character) * 7 % 23] += 1 + 0.001 * (position % 5)
    vector[23] = 0.5
    return vector


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/faults":
            with lock:
                faults[:] = body
                log.clear()
            return self.reply(200, {})
        with lock:
            fault = faults.pop(0) if faults else None
            log.append(
                {
                    "time": time.monotonic(),
                    "path": self.path,
                    "size": len(body["input"]),
                    "key": self.headers.get("Authorization"),
                    "longest": max(map(len, body["input"])),
                    "dimensions": body.get("dimensions"),
                }
            )
        if fault == "drop":
            self.close_connection = True
            return None
        if fault == "slow":
            time.sleep(1.5)
        if isinstance(fault, int):
            return self.reply(fault, {"error": {"message": f"told to fail\nwith {fault}"}})
        if isinstance(fault, dict):
            return self.reply(fault["status"], fault.get("body", {}), fault.get("headers", {}))
        if "" in body["input"]:
            return self.reply(413, {"error": {"message": "`inputs` cannot be empty"}})
        data = [{"index": i, "embedding": embedding(text)} for i, text in enumerate(body["input"])]
        random.Random(0).shuffle(data)
        return self.reply(200, {"object": "list", "data": data, "model": body["model"]}, half=fault == "half")

    def do_GET(self):
        self.reply(200, log)

    def reply(self, status: int, body, headers=None, half: bool = False):
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(BrokenPipeError):  # a client that gave up waiting
            self.wfile.write(content[: len(content) // 2] if half else content)
        self.close_connection = self.close_connection or half

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    sys.stdout.close()
    server.serve_forever()
