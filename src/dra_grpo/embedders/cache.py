"""What has been embedded before is not embedded again: groups repeat themselves, and prompts come back."""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from dra_grpo.embedders.protocol import Embedded, Embedder


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

    >>> from dra_grpo.embedders.ngram import NgramEmbedder
    >>> embedder = CachedEmbedder(NgramEmbedder())
    >>> embedder.encode(["a", "b", "a"]).shape, embedder.hits, embedder.misses
    (torch.Size([3, 1024]), 1, 2)
    """

    def __init__(self, embedder: Embedder, size: int = 50_000):
        self.embedder = embedder
        self.name = embedder.name
        self.size = size
        self.hits = self.misses = 0
        self._kept: OrderedDict[bytes, tuple[Tensor, bool]] = OrderedDict()

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            The embedder's rows, on the CPU, and what it cut.
        """
        if not texts:
            rows, truncated = self.embedder.embed(texts)
            return Embedded(rows.cpu(), truncated)
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._kept}
        if new:
            rows, truncated = self.embedder.embed(list(new.values()))
            # A row of its own: a view would keep all of the batch in memory.
            self._kept |= zip(new, zip(map(torch.clone, rows.cpu()), truncated.tolist(), strict=True), strict=True)
        self.hits += len(texts) - len(new)
        self.misses += len(new)
        for key in keys:
            self._kept.move_to_end(key)
        found = [self._kept[key] for key in keys]
        while len(self._kept) > self.size:
            self._kept.popitem(last=False)
        return Embedded(torch.stack([row for row, _ in found]), torch.tensor([cut for _, cut in found], device="cpu"))
