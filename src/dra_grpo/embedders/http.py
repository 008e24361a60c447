"""Embeddings from a server that speaks OpenAI's `/v1/embeddings`, as TEI and vLLM do: no GPU memory taken here."""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from itertools import count
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dra_grpo.embedders.unicode import encodable
from dra_grpo.errors import UsageError


class HttpEmbedder:
    """A client of an embedding server, with retries; standard library only.

    Connection errors, timeouts, 429 and 5xx are tried again after 0.5, 1, 2, … up to 30 seconds, each shortened by up
    to half at random so that ranks do not come back in step, or after the server's `Retry-After` where that is
    longer. Any other 4xx is final. The protocol does not tell what a server cuts off (TEI does so unless started with
    `--auto-truncate false`; vLLM refuses), so `truncated` knows about `max_characters` only. Servers refuse empty
    texts: a space is sent in place of one.

    Args:
        url: the server's base, such as `http://127.0.0.1:8000/v1`, or the whole `…/v1/embeddings`.
        model: the model's name on the server.
        batch_size: texts a request (TEI's default limit is 32).
        concurrency: requests in flight.
        timeout: seconds a request may take.
        retries: attempts after the first.
        max_characters: texts are cut there and marked in `truncated`; None sends them whole.
        key_variable: environment variable that holds the API key, read at each call and never stored; None sends none.
        dimensions: asked of the server, for models trained to be shortened; None takes the model's own.

    Raises:
        UsageError: `url` is no http(s) address, a number is out of range, or (when encoding) the key is not set, the
            server stays unreachable or refuses the request, or its answer is not that of `/v1/embeddings`.
    """

    name = "http"

    def __init__(
        self,
        url: str,
        model: str,
        batch_size: int = 32,
        concurrency: int = 4,
        timeout: float = 60.0,
        retries: int = 6,
        max_characters: int | None = None,
        key_variable: str | None = None,
        dimensions: int | None = None,
    ):
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"url is {url!r}; expected an http(s) address such as 'http://127.0.0.1:8000/v1'")
        counts = {"batch_size": batch_size, "concurrency": concurrency, "timeout": timeout, "retries": retries + 1}
        for option, value in counts.items():
            if value <= 0:
                raise UsageError(f"{option} is {value - (option == 'retries')}, which is too small to send anything")
        base = url.rstrip("/")
        self.url = base if base.endswith("/embeddings") else f"{base}/embeddings"
        self.model = model
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.timeout = timeout
        self.retries = retries
        self.max_characters = max_characters
        self.key_variable = key_variable
        self.dimensions = dimensions
        self.truncated = torch.zeros(0, dtype=torch.bool)
        self._width: int | None = None

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            float32 (N, D) on the CPU, rows of norm 1.

        Raises:
            UsageError: see the class; nothing is returned unless every batch came back.
        """
        limit = self.max_characters
        self.truncated = torch.tensor([limit is not None and len(text) > limit for text in texts], dtype=torch.bool)
        sent = [text[:limit] or " " for text in encodable(texts)]
        batches = [sent[start : start + self.batch_size] for start in range(0, len(sent), self.batch_size)]
        if not batches:
            if self._width is None:
                self._width = self._embed([" "]).shape[1]
            return torch.zeros(0, self._width)
        with ThreadPoolExecutor(self.concurrency) as pool:
            rows = torch.cat(list(pool.map(self._embed, batches)))
        self._width = rows.shape[1]
        return normalize(rows)

    def _embed(self, texts: list[str]) -> Tensor:
        answer = self._post(texts)
        try:
            indices = [item["index"] for item in answer["data"]]
            rows = torch.tensor([item["embedding"] for item in answer["data"]], dtype=torch.float32)
            if sorted(indices) != list(range(len(texts))):
                raise ValueError(f"{len(texts)} texts were sent and rows {indices[:8]} came back")
            if not rows.isfinite().all():
                raise ValueError("an embedding holds NaN or infinity")
        except (KeyError, TypeError, ValueError) as error:
            reason = _one_line(f"{type(error).__name__}: {error}")
            raise UsageError(f"{self.url} does not answer as /v1/embeddings does ({reason}); check url") from error
        ordered = torch.empty_like(rows)
        ordered[indices] = rows
        return ordered

    def _post(self, texts: list[str]) -> Any:
        """The parsed answer to one batch, however many attempts it takes."""
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        request = Request(self.url, json.dumps(body).encode(), self._headers(), method="POST")
        for attempt in count(1):
            try:
                return self._attempt(request)
            except _Passing as failure:
                if attempt > self.retries or failure.wait > _LONGEST_WAIT:
                    raise UsageError(
                        f"no embeddings from {self.url} after {attempt} attempts: {failure}; is the server up?"
                    ) from failure
                time.sleep(max(failure.wait, min(30.0, 0.25 * 2**attempt) * _jitter.uniform(0.5, 1)))

    def _attempt(self, request: Request) -> Any:
        try:
            with _opener.open(request, timeout=self.timeout) as response:
                return json.loads(response.read())
        except HTTPError as error:
            said = _body(error)
            if error.code != 429 and error.code < 500:
                raise UsageError(f"{self.url} refuses the request: {error.code} {said}") from error
            raise _Passing(f"{error.code} {said}", _retry_after(error.headers.get("Retry-After"))) from error
        except (OSError, HTTPException) as error:  # refused, reset, timed out, broken off
            raise _Passing(_one_line(str(getattr(error, "reason", error)) or repr(error))) from error
        except ValueError as error:
            raise UsageError(f"{self.url} does not answer in JSON; check url") from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            key = os.environ.get(self.key_variable)
            if not key:
                raise UsageError(f"key_variable {self.key_variable!r} is not set; export the API key in it")
            headers["Authorization"] = f"Bearer {key}"
        return headers


_jitter = random.SystemRandom()  # the seeded generator is the training's: a flaky server must not move it
_LONGEST_WAIT = 300.0  # seconds; a server that asks for more (a spent quota) is better reported than slept on


class _Passing(Exception):
    """A failure that may be over the next time, and the seconds the server asks to wait."""

    def __init__(self, reason: str, wait: float = 0.0):
        super().__init__(reason if wait <= _LONGEST_WAIT else f"{reason}, asking for {wait:.0f} s of rest")
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
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _body(error: HTTPError) -> str:
    try:
        with error:
            return _one_line(error.read().decode(errors="replace"))
    except (OSError, HTTPException):  # broken off: the status has to say it
        return str(error.reason)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
