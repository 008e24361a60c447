"""A small OpenAI-style server for tests: it really embeds, really adds, and fails where it is told to.

`…/embeddings` counts letters, and hands the rows out in another order than the texts came in. `…/completions` and
`…/chat/completions` answer `What is A plus B?` with a boxed sum for three seeds of four and with the sum plus one for
the others; how much comes before it depends on the seed.

`POST /faults` with a list sets what happens to the next requests, one entry each: a status, "drop" (the connection is
closed), "half" (the body stops in the middle), "slow" (an answer after 1.5 seconds), or an object {"status",
"headers", "body"}. `POST /pause` sets seconds before each answer. `GET /log` gives the requests so far.

Prints its port.
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

faults: list = []
log: list[dict] = []
pause = [0.0]
lock = Lock()


def embedding(text: str) -> list[float]:
    vector = [0.0] * 24
    for position, character in enumerate(text):
        vector[ord(character) * 7 % 23] += 1 + 0.001 * (position % 5)
    vector[23] = 0.5
    return vector


def answer(text: str, seed: int) -> str:
    left, right = map(int, re.findall(r"\d+", text)[:2])
    return " ".join(["so"] * (seed % 7)) + f" it is \\boxed{{{left + right + (seed % 4 == 0)}}}"


def embeddings(body: dict) -> tuple[int, Any]:
    if "" in body["input"]:
        return 413, {"error": {"message": "`inputs` cannot be empty"}}
    data = [{"index": i, "embedding": embedding(text)} for i, text in enumerate(body["input"])]
    random.Random(0).shuffle(data)
    return 200, {"object": "list", "data": data, "model": body["model"]}


def completion(body: dict, chat: bool) -> tuple[int, Any]:
    words = answer(body["messages"][-1]["content"] if chat else body["prompt"], body["seed"]).split()
    text = " ".join(words[: body["max_tokens"]])
    choice = {"index": 0, "finish_reason": "length" if len(words) > body["max_tokens"] else "stop"}
    choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    return 200, {"choices": [choice], "usage": {"completion_tokens": min(len(words), body["max_tokens"])}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/faults":
            with lock:
                faults[:] = body
                log.clear()
            return self.reply(200, {})
        if self.path == "/pause":
            pause[0] = body
            return self.reply(200, {})
        with lock:
            fault = faults.pop(0) if faults else None
            key = self.headers.get("Authorization")
            log.append({**body, "time": time.monotonic(), "path": self.path, "key": key})
        time.sleep(1.5 if fault == "slow" else pause[0])
        if fault == "drop":
            self.close_connection = True
            return None
        if isinstance(fault, int):
            return self.reply(fault, {"error": {"message": f"told to fail\nwith {fault}"}})
        if isinstance(fault, dict):
            return self.reply(fault["status"], fault.get("body", {}), fault.get("headers", {}))
        chat = self.path.endswith("/chat/completions")
        status, said = embeddings(body) if self.path.endswith("/embeddings") else completion(body, chat)
        return self.reply(status, said, half=fault == "half")

    def do_GET(self):
        with lock:
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
    ThreadingHTTPServer.request_queue_size = 128  # with the usual 5, clients that come at once wait a second
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, flush=True)
    sys.stdout.close()
    server.serve_forever()
