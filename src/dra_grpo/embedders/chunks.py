"""Long texts in chunks, so that an encoder that reads a few hundred tokens sees all of an answer."""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.nn.functional import normalize

from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError


class ChunkedEmbedder(Embedder):
    """Each text as the mean of its chunks' unit vectors, weighted by their length, at norm 1 again.

    A chunk ends between two words where its second half has such a place. A text that fits into one chunk keeps the
    row that the embedder gives it. All chunks of all texts are embedded in one call.

    Args:
        embedder: embeds the chunks: a name in `EMBEDDERS`, an object or a function, see `as_embedder`. A cache goes
            around the whole: `CachedEmbedder(ChunkedEmbedder(…))`.
        size: longest chunk, in `unit`; None takes what the encoder reads at once (tokens only).
        overlap: how much of a chunk is repeated in the next, in `unit`.
        unit: `"tokens"` of the encoder, which must be a sentence-transformers one, or `"characters"`.
        embedder_options: what an embedder given by name is built with.
        device: where an embedder given by name is built, if it can choose.

    Raises:
        UnknownName: no embedder has this name.
        KeyError: no such `unit`.
        UsageError: the encoder has no tokenizer to count by, `size` is missing or above what it reads, or `overlap`
            is not between 0 and half of `size`.

    >>> from dra_grpo.embedders.ngram import NgramEmbedder
    >>> embedder = ChunkedEmbedder(NgramEmbedder(), size=12, unit="characters")
    >>> embedder.chunks("first we add, then we divide")
    ['first we ', 'add, then we', ' divide']
    >>> embedder.encode(["first we add, then we divide", "short"]).shape
    torch.Size([2, 1024])
    """

    name = "chunked"

    def __init__(
        self,
        embedder: Any,
        size: int | None = None,
        overlap: int = 0,
        unit: Literal["tokens", "characters"] = "tokens",
        embedder_options: dict[str, Any] | None = None,
        device: str | torch.device | None = None,
    ):
        from dra_grpo.embedders.choice import as_embedder

        built = as_embedder(embedder, embedder_options, device, cached=False)
        limit: Any = {"tokens": getattr(built, "token_limit", None), "characters": math.inf}[unit]
        if limit is None:
            raise UsageError(f"embedder {built.name!r} has no limit in tokens; leave chunks out, or unit=characters")
        self.embedder: Any = built  # an Embedder, with `token_starts` where the unit is tokens
        self.size = limit if size is None else size
        if not (0 < self.size <= limit and 0 <= 2 * overlap <= self.size < math.inf):
            raise UsageError(f"size is {size}, overlap {overlap}; expected 1 to {limit} {unit}, at most half of it")
        self.overlap = overlap
        self.unit = unit

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            Rows where the embedder puts its own, and the texts of which some chunk was cut all the same.
        """
        pieces = [self.chunks(text) for text in texts]
        rows, cut = self.embedder.embed([chunk for chunks in pieces for chunk in chunks])
        lengths = rows.new_tensor([max(1, len(chunk)) for chunks in pieces for chunk in chunks])
        owned = [place for place, chunks in enumerate(pieces) for _ in chunks]
        owners = torch.tensor(owned, dtype=torch.long, device="cpu")
        pooled = rows.new_zeros(len(texts), rows.shape[1])
        pooled.index_add_(0, owners.to(rows.device), rows * lengths[:, None])
        truncated = torch.zeros(len(texts), device="cpu").index_add_(0, owners, cut.float()) > 0
        return Embedded(normalize(pooled), truncated)

    def chunks(self, text: str) -> list[str]:
        """The chunks of a text in order: one at least, none empty unless the text is, all of the text in them."""
        starts = self.embedder.token_starts(text) if self.unit == "tokens" else range(len(text))
        if len(starts) <= self.size:
            return [text]
        edges = [0, *starts[1:], len(text)]
        found, first, stop = [], 0, 0
        while stop < len(starts):
            last = min(first + self.size, len(starts))
            stop = _between_words(text, edges, first, last)
            if edges[first] < edges[stop]:  # several tokens may share a character, and then its start
                found.append(text[edges[first] : edges[stop]])
            first = stop - self.overlap
        return found


def _between_words(text: str, edges: Sequence[int], first: int, last: int) -> int:
    """The last edge in the second half of [first, last] with a space on one side; `last` if there is none."""
    second_half = range(last, first + (last - first + 1) // 2, -1) if edges[last] < len(text) else ()
    between = (stop for stop in second_half if text[edges[stop] - 1].isspace() != text[edges[stop]].isspace())
    return next(between, last)
