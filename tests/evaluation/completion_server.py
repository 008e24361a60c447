"""A small OpenAI-style server for tests: it adds, and errs where the seed says so.

`What is A plus B?` is answered with a boxed sum for three seeds of four, and with the sum plus one for the others;
the length of what comes before depends on the seed. `POST /faults` with a list sets what happens to the next
requests, one entry each: a status, "drop" (the connection is closed), "half" (the body stops in the middle), or an
object that is the whole answer. `POST /pause` sets seconds before each answer. `GET /log` gives the bodies so far.
Prints its port.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

faults: list = []
log: list[dict] = []
pause = [0.0]
lock = Lock()


def answer(text: str, seed: int) -> str:
    left, right = map(int, re.findall(r"\d+", text)[:2])
    return " ".join(["so"] * (seed % 7)) + f" it is \\boxed{{{left + right + (seed % 4 == 0)}}}"


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
            log.append({**body, "path": self.path, "key": self.headers.get("Authorization")})
        time.sleep(pause[0])
        if fault == "drop":
            self.close_connection = True
            return None
        if isinstance(fault, int):
            return self.reply(fault, {"error": {"message": f"told to fail\nwith {fault}"}})
        if isinstance(fault, dict):
            return self.reply(200, fault)
        chat = self.path.endswith("/chat/completions")
        words = answer(body["messages"][-1]["content"] if chat else body["prompt"], body["seed"]).split()
        cut = len(words) > body["max_tokens"]
        text = " ".join(words[: body["max_tokens"]])
        choice = {"index": 0, "finish_reason": "length" if cut else "stop"}
        choice |= {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        usage = {"completion_tokens": min(len(words), body["max_tokens"])}
        return self.reply(200, {"choices": [choice], "usage": usage}, half=fault == "half")

    def do_GET(self):
        with lock:
            self.reply(200, log)

    def reply(self, status: int, body, half: bool = False):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):
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
