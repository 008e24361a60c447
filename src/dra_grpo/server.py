"""A client of servers that speak OpenAI's API, such as vLLM and TEI: standard library only."""

from __future__ import annotations

import json
import math
import os
import random
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from itertools import count
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from dra_grpo.errors import UsageError

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
LONGEST_REST = 300.0
"""Seconds; a server that asks for more (a spent quota) is better reported than slept on."""


class OpenAIServer:
    """Posts JSON, and tries again while that can help.

    Connection errors, timeouts, 429 and 5xx are tried again after 0.5, 1, 2, … up to 30 seconds, each shortened by up
    to half at random so that clients do not come back in step, or after the server's `Retry-After` where that is
    longer. Any other 4xx and redirects are final.

    Args:
        url: the server's base, such as `http://127.0.0.1:8000/v1`.
        timeout: seconds without an answer after which a request is tried again.
        retries: attempts after the first.
        key_variable: environment variable that holds the API key, read at each call and never stored; None sends none.

    Raises:
        UsageError: `url` is no http(s) address, or a number is out of range.
    """

    def __init__(self, url: str, timeout: float = 60.0, retries: int = 6, key_variable: str | None = None):
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"url is {url!r}; expected an http(s) address such as 'http://127.0.0.1:8000/v1'")
        if not timeout > 0 or retries < 0:
            raise UsageError(f"timeout is {timeout} and retries {retries}; expected more than 0, and at least 0")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self.key_variable = key_variable

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The parsed answer of `url`/`path` to `body`, however many attempts it takes.

        Raises:
            UsageError: the key is not set, the server stays unreachable, refuses, or does not answer in JSON.
        """
        place = f"{self.url}/{path}"
        request = Request(place, json.dumps(body).encode(), self.headers(), method="POST")
        for attempt in count(1):
            try:
                return self._attempt(request)
            except _Passing as failure:
                if attempt > self.retries or failure.wait > LONGEST_REST:
                    raise UsageError(
                        f"no answer from {place} after {attempt} attempts: {failure}; is the server up?"
                    ) from failure
                pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)) * _jitter.uniform(0.5, 1)
                time.sleep(max(failure.wait, pause))

    def headers(self) -> dict[str, str]:
        """What goes with every request.

        Raises:
            UsageError: the key's variable is not set.
        """
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            key = os.environ.get(self.key_variable, "").strip()  # mounted secrets end in a newline
            if not key:
                raise UsageError(f"key variable {self.key_variable!r} is not set; export the API key in it")
            headers["Authorization"] = f"Bearer {key}"
        return headers

    def _attempt(self, request: Request) -> Any:
        place = request.full_url
        try:
            with _opener.open(request, timeout=self.timeout) as response:
                return json.loads(response.read())
        except HTTPError as error:
            said = _body(error)
            if error.code != 429 and error.code < 500:
                raise UsageError(f"{place} refuses the request: {error.code} {said}") from error
            raise _Passing(f"{error.code} {said}", _retry_after(error.headers.get("Retry-After"))) from error
        except (OSError, HTTPException) as error:  # refused, reset, timed out, broken off
            raise _Passing(one_line(str(getattr(error, "reason", error)) or repr(error))) from error
        except ValueError as error:
            raise UsageError(f"{place} does not answer in JSON; check the url") from error


def one_line(text: str) -> str:
    """What a server said, short and on one line."""
    return " ".join(text.split())[:200]


_jitter = random.SystemRandom()  # the seeded generator is the training's: a flaky server must not move it


class _Passing(Exception):
    """A failure that may be over the next time, and the seconds the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason if wait <= LONGEST_REST else f"{reason}, asking for {wait:.0f} s of rest")
        self.wait = wait


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would become a GET, and the key would go to wherever it points."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)


def _retry_after(header: str | None) -> float:
    """Seconds that a `Retry-After` header asks for, which may be a number or a date.

    >>> _retry_after("2"), _retry_after(None), _retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), _retry_after("soon")
    (2.0, 0.0, 0.0, 0.0)
    """
    if header is None:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _body(error: HTTPError) -> str:
    try:
        with error:
            return one_line(error.read().decode(errors="replace"))
    except (OSError, HTTPException):  # broken off: the status has to say it
        return str(error.reason)
