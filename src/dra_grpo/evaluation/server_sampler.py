"""Sampling from a server that speaks OpenAI's API, such as `vllm serve`: standard library only."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Collection, Iterator, Sequence
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener
from urllib.request import Request as HttpRequest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sampler import Decoding, Key, Request, Sample

LONGEST_WAIT = 30.0


class ServerSampler:
    """One request a sample: `/v1/chat/completions` for messages, `/v1/completions` for texts.

    Connection errors, timeouts, 429 and 5xx are tried again after 0.5, 1, 2, … up to 30 seconds; any other 4xx is
    final. A sample that came is never asked for again. Seeds are sent; whether they are heeded is the server's affair.

    Args:
        url: the server's base, such as `http://127.0.0.1:8000/v1`.
        model: the model's name there.
        concurrency: requests in flight.
        timeout: seconds without an answer after which a request is tried again.
        retries: attempts after the first.
        key_variable: environment variable that holds the API key; None sends none.
        devices: accelerators that the server keeps busy, for the bill.

    Raises:
        UsageError: `url` is no http(s) address, a number is out of range, or the key's variable is not set; when
            sampling: the server stays unreachable, refuses a request, or does not answer as that API does.
    """

    def __init__(
        self,
        url: str,
        model: str,
        concurrency: int = 32,
        timeout: float = 3600.0,
        retries: int = 6,
        key_variable: str | None = None,
        devices: int = 0,
    ):
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"url is {url!r}; expected an http(s) address such as 'http://127.0.0.1:8000/v1'")
        if concurrency < 1 or timeout <= 0 or retries < 0:
            raise UsageError(
                f"concurrency {concurrency}, timeout {timeout}, retries {retries}: expected at least 1, more than 0, "
                "at least 0"
            )
        if key_variable is not None and not os.environ.get(key_variable):
            raise UsageError(f"key variable {key_variable!r} is not set; export the API key in it")
        self.url = url.rstrip("/")
        self.model = model
        self.concurrency = concurrency
        self.timeout = timeout
        self.retries = retries
        self.key_variable = key_variable
        self.devices = devices

    def sample(self, plan: Sequence[Request], done: Collection[Key], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw what of `plan` is not `done`, several at a time, yielding each as it comes."""
        waiting: SimpleQueue[Request] = SimpleQueue()
        for request in plan:
            if request.key not in done:
                waiting.put(request)
        count = waiting.qsize()
        came: SimpleQueue[Sample | BaseException] = SimpleQueue()
        enough = Event()

        def work() -> None:
            while not enough.is_set():
                try:
                    came.put(self._draw(waiting.get_nowait(), decoding))
                except Empty:
                    return
                except BaseException as error:
                    came.put(error)

        try:
            # Daemons: whoever stops the evaluation does not wait for answers that are still being written.
            for _ in range(min(self.concurrency, count)):
                Thread(target=work, daemon=True).start()
            while count:
                outcomes = [came.get()]
                while not came.empty():
                    outcomes.append(came.get())
                count -= len(outcomes)
                samples = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
                if samples:
                    yield samples
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
        finally:
            enough.set()

    def _draw(self, request: Request, decoding: Decoding) -> Sample:
        chat = not isinstance(request.prompt, str)
        body = {
            "model": self.model,
            "messages" if chat else "prompt": request.prompt,
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "seed": request.seed,
            "n": 1,
            **({"stop": list(decoding.stop)} if decoding.stop else {}),
        }
        place = f"{self.url}/{'chat/completions' if chat else 'completions'}"
        answer = self._post(place, body)
        try:
            choice = answer["choices"][0]
            text = _message_text(choice["message"]) if chat else choice["text"]
            if not isinstance(text, str):
                raise TypeError(f"the text is {text!r}")
            return Sample(
                request.key, text, int(answer["usage"]["completion_tokens"]), choice["finish_reason"] == "length"
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UsageError(f"{place} does not answer as OpenAI's API does ({reason}); check the url") from error

    def _post(self, place: str, body: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            headers["Authorization"] = f"Bearer {os.environ[self.key_variable]}"
        request = HttpRequest(place, json.dumps(body).encode(), headers, method="POST")
        pause = 0.5
        for attempt in range(1, self.retries + 2):
            try:
                with _opener.open(request, timeout=self.timeout) as response:
                    return json.loads(response.read())
            except HTTPError as error:
                problem = f"{error.code} {_said(error)}"
                if error.code != 429 and error.code < 500:
                    raise UsageError(f"{place} refuses the request: {problem}") from error
                asked = error.headers.get("Retry-After") or ""
                pause = max(pause, float(asked)) if asked.isdecimal() else pause
            except (OSError, HTTPException) as error:  # refused, reset, timed out, broken off
                problem = " ".join(str(getattr(error, "reason", error)).split()) or repr(error)
            except ValueError as error:
                raise UsageError(f"{place} does not answer in JSON; check the url") from error
            if attempt <= self.retries:
                time.sleep(min(pause, LONGEST_WAIT) * _jitter.uniform(0.5, 1))
                pause *= 2
        raise UsageError(f"no answer from {place} after {self.retries + 1} attempts: {problem}; is the server up?")


_jitter = random.SystemRandom()  # whoever seeded the global generator counts on it


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would become a GET, and the key would go to wherever it points."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)


def _message_text(message: dict[str, Any]) -> str:
    """A chat answer as one text, with the reasoning that a server's parser took out of it put back."""
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    content = message["content"]
    if not reasoning:
        return "" if content is None else content
    return f"<think>{reasoning}" if content is None else f"<think>{reasoning}</think>{content}"


def _said(error: HTTPError) -> str:
    try:
        with error:
            return " ".join(error.read().decode(errors="replace").split())[:200]
    except (OSError, HTTPException):  # broken off: the status has to say it
        return str(error.reason)
