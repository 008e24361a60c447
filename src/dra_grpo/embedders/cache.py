"""What has been embedded before is not embedded again: groups repeat themselves, and prompts come back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError


class CachedEmbedder(Embedder):
    """Rows of an embedder kept by their exact text, least recently used out first; duplicates are encoded once.

    Kept on the CPU in one (size, D) matrix that grows as it fills (at most 4·size·D bytes; 77 MB for minilm at the
    default), under a 16-byte digest of the text, so long texts are not held.

    Args:
        embedder: whose rows are kept; it must be a function of the text alone, which `policy` is not.
        size: how many rows are kept.

    Attributes:
        hits: texts so far that needed no encoding, as they were kept or stood in the same batch already.
        misses: texts so far that were encoded.

    Raises:
        UsageError: `size` is below 1.

    >>> from dra_grpo.embedders.ngram import NgramEmbedder
    >>> embedder = CachedEmbedder(NgramEmbedder())
    >>> embedder.encode(["a", "b", "a"]).shape, embedder.hit_rate
    (torch.Size([3, 1024]), 0.3333333333333333)
    """

    def __init__(self, embedder: Embedder, size: int = 50_000):
        if size < 1:
            raise UsageError(f"size is {size}; a cache keeps at least 1 row")
        self.embedder = embedder
        self.name = embedder.name
        self.size = size
        self.hits = self.misses = 0
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self._rows = torch.zeros(0, 0, device="cpu")
        self._cut = torch.zeros(0, dtype=torch.bool, device="cpu")

    @property
    def hit_rate(self) -> float:
        """Share of all texts so far that needed no encoding; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            The embedder's rows, on the CPU, and what it cut.
        """
        keys = [_digest(text) for text in texts]
        distinct = dict(zip(keys, texts, strict=True))
        kept = [key for key in distinct if key in self._slots]
        new = [key for key in distinct if key not in self._slots]
        if new or not kept:
            rows, cut = (part.cpu() for part in self.embedder.embed([distinct[key] for key in new]))
        else:
            rows, cut = self._rows[:0], self._cut[:0]
        if kept:
            slots = [self._slots[key] for key in kept]
            rows, cut = torch.cat([self._rows[slots], rows]), torch.cat([self._cut[slots], cut])

        self.hits += len(texts) - len(new)
        self.misses += len(new)
        for key in kept:
            self._slots.move_to_end(key)
        self._keep(new, rows[len(kept) :], cut[len(kept) :])
        place = {key: index for index, key in enumerate([*kept, *new])}
        order = torch.tensor([place[key] for key in keys], dtype=torch.long, device="cpu")
        return Embedded(rows[order], cut[order])

    @torch.inference_mode(False)  # a tensor born in inference mode could not be written to outside it
    def _keep(self, keys: list[bytes], rows: Tensor, cut: Tensor) -> None:
        if not keys:
            return
        keys, rows, cut = keys[-self.size :], rows[-self.size :], cut[-self.size :]
        self._grow(len(self._slots) + len(keys), rows.shape[1])
        slots = []
        for key in keys:
            full = len(self._slots) == self.size
            self._slots[key] = self._slots.popitem(last=False)[1] if full else len(self._slots)
            slots.append(self._slots[key])
        self._rows[slots], self._cut[slots] = rows, cut

    def _grow(self, needed: int, dimension: int) -> None:
        have = len(self._rows)
        if needed <= have or have == self.size:
            return
        more = min(self.size, max(needed, 2 * have, 1024)) - have
        self._rows = torch.cat([self._rows.view(have, dimension), torch.zeros(more, dimension, device="cpu")])
        self._cut = torch.cat([self._cut, torch.zeros(more, dtype=torch.bool, device="cpu")])


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
