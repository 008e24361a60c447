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

    Kept on the CPU (about 4·size·D bytes; 77 MB for minilm at the default) under a 16-byte digest of the text, so long
    texts are not held.

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
        self._kept: OrderedDict[bytes, tuple[Tensor, bool]] = OrderedDict()

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
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        distinct = dict(zip(keys, texts, strict=True))
        found = {key: self._kept[key] for key in distinct if key in self._kept}
        new = [key for key in distinct if key not in found]
        if new or not keys:
            rows, truncated = self.embedder.embed([distinct[key] for key in new])
            if not keys:
                return Embedded(rows.cpu(), truncated.cpu())
            # A row of its own: a view would keep all of the batch in memory.
            found |= zip(new, zip(map(torch.clone, rows.cpu()), truncated.tolist(), strict=True), strict=True)
        self.hits += len(texts) - len(new)
        self.misses += len(new)
        for key in found:
            self._kept[key] = found[key]
            self._kept.move_to_end(key)
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)
        truncated = torch.tensor([found[key][1] for key in keys], device="cpu")
        return Embedded(torch.stack([found[key][0] for key in keys]), truncated)
