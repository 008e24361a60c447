"""Embeddings from a server that speaks OpenAI's `/v1/embeddings`, as TEI and vLLM do: no GPU memory taken here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dra_grpo.completions import encodable
from dra_grpo.errors import UsageError
from dra_grpo.server import OpenAIServer, one_line


class HttpEmbedder:
    """A client of an embedding server; `OpenAIServer` says what is tried again.

    The protocol does not tell what a server cuts off (TEI does so unless started with `--auto-truncate false`; vLLM
    refuses), so `truncated` knows about `max_characters` only. Servers refuse empty texts: a space is sent in place of
    one.

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
        least_one = {"batch_size": batch_size, "concurrency": concurrency, "max_characters": max_characters}
        for option, value in least_one.items():
            if value is not None and value < 1:
                raise UsageError(f"{option} is {value}, which is too small to send anything; expected at least 1")
        self.server = OpenAIServer(url.rstrip("/").removesuffix("/embeddings"), timeout, retries, key_variable)
        self.model = model
        self.batch_size = batch_size
        self.concurrency = concurrency
        self.max_characters = max_characters
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
        self.truncated = torch.tensor(
            [limit is not None and len(text) > limit for text in texts], dtype=torch.bool, device="cpu"
        )
        sent = [text[:limit] or " " for text in encodable(texts)]
        batches = [sent[start : start + self.batch_size] for start in range(0, len(sent), self.batch_size)]
        if not batches:
            if self._width is None:
                self._width = self._embed([" "]).shape[1]
            return torch.zeros(0, self._width, device="cpu")
        with ThreadPoolExecutor(self.concurrency) as pool:
            rows = torch.cat(list(pool.map(self._embed, batches)))
        self._width = rows.shape[1]
        return normalize(rows)

    def _embed(self, texts: list[str]) -> Tensor:
        body: dict[str, Any] = {"model": self.model, "input": texts, "encoding_format": "float"}
        if self.dimensions is not None:
            body["dimensions"] = self.dimensions
        answer = self.server.post("embeddings", body)
        try:
            indices = [item["index"] for item in answer["data"]]
            rows = torch.tensor([item["embedding"] for item in answer["data"]], dtype=torch.float32, device="cpu")
            if sorted(indices) != list(range(len(texts))):
                raise ValueError(f"{len(texts)} texts were sent and rows {indices[:8]} came back")
            if not rows.isfinite().all():
                raise ValueError("an embedding holds NaN or infinity")
        except (KeyError, TypeError, ValueError) as error:
            reason = one_line(f"{type(error).__name__}: {error}")
            raise UsageError(
                f"{self.server.url}/embeddings does not answer as /v1/embeddings does ({reason}); check the url"
            ) from error
        ordered = torch.empty_like(rows)
        ordered[indices] = rows
        return ordered
