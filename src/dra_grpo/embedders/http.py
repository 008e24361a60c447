"""Embeddings from a server that speaks OpenAI's `/v1/embeddings`, as TEI and vLLM do: no GPU memory taken here."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dra_grpo.completions import encodable
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.server import OpenAIServer


@dataclass(eq=False)
class HttpEmbedder(Embedder):
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
        max_characters: texts are cut there and marked in `truncated`; None sends them whole.
        key_variable: environment variable that holds the API key, read at each call and never stored; None sends none.

    Raises:
        UsageError: `url` is no http(s) address, or (when encoding) the key is not set, the
            server stays unreachable or refuses the request, or its answer is not that of `/v1/embeddings`.
    """

    url: str
    model: str
    batch_size: int = 32
    concurrency: int = 4
    timeout: float = 60.0
    max_characters: int | None = None
    key_variable: str | None = None
    name: ClassVar[str] = "http"

    def __post_init__(self) -> None:
        base = self.url.rstrip("/").removesuffix("/embeddings")
        self.server = OpenAIServer(base, self.timeout, key_variable=self.key_variable)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts; for no texts a space is embedded, for its D.

        Args:
            texts: N strings.

        Returns:
            Rows on the CPU, and the texts longer than `max_characters`.

        Raises:
            UsageError: see the class; nothing is returned unless every batch came back.
        """
        if not texts:
            rows, truncated = self.embed([" "])
            return Embedded(rows[:0], truncated[:0])
        limit = self.max_characters
        truncated = [limit is not None and len(text) > limit for text in texts]
        sent = [text[:limit] or " " for text in encodable(texts)]
        batches = [sent[start : start + self.batch_size] for start in range(0, len(sent), self.batch_size)]
        with ThreadPoolExecutor(self.concurrency) as pool:
            rows = torch.cat(list(pool.map(self._rows, batches)))
        return Embedded(normalize(rows), torch.tensor(truncated, device="cpu"))

    def _rows(self, texts: list[str]) -> Tensor:
        def rows(answer: Any) -> Tensor:
            data = answer["data"]  # of some servers without `index`: then the order is that of the texts
            indices = [place if item.get("index") is None else item["index"] for place, item in enumerate(data)]
            if sorted(indices) != list(range(len(texts))):
                raise ValueError(f"{len(texts)} texts were sent and rows {indices[:8]} came back")
            embeddings = torch.tensor([item["embedding"] for item in data], dtype=torch.float32, device="cpu")
            return embeddings[torch.tensor(indices, device="cpu").argsort()]

        return self.server.post("embeddings", {"model": self.model, "input": texts, "encoding_format": "float"}, rows)
