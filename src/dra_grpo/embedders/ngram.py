"""Character n-grams hashed into a fixed number of features: torch only, no weights, over 10⁵ short texts a second."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError

# Unicode noncharacters, reserved for internal use such as this: they mark where a text starts and ends.
START, END = "\U0010fffe", "\U0010ffff"

_BLOCK = 1 << 20  # characters hashed at once, which bounds the working memory at about 200 MB
_MASK = (1 << 31) - 1  # 31 bits: every product below stays under 2⁶², so no machine ever sees an overflow


class NgramEmbedder(Embedder):
    """Signed hashing of character n-grams: the inner product estimates the cosine of the texts' n-gram counts.

    For each order n, an n-gram starts at the start mark and at every character; those that reach past the last
    character are filled up with end marks. So a text of L characters has L + 1 n-grams of each order, none of them
    shared with its neighbour, and every text has some: a single character too, and the empty text, which is similar
    to other empty texts alone. Hash and sign of an n-gram depend on its code points only, on every machine.

        x = Σ_grams sign(gram) · e_bucket(gram),   x ← sign(x) √|x| if sublinear,   x ← x / ‖x‖

    Args:
        orders: the n of the n-grams.
        dimension: D, the number of buckets; the error of a cosine is about 1/√D.
        sublinear: damp what a text repeats by the square root of its count.

    Raises:
        UsageError: `orders` is empty or has an n below 1; `dimension` is below 64, where signs begin to cancel.

    >>> embeddings = NgramEmbedder().encode(["(3 + 5) * 2", "(5 + 3) * 2", "seventeen"])
    >>> embeddings.shape
    torch.Size([3, 1024])
    >>> similarity = embeddings @ embeddings.T
    >>> bool(similarity[0, 1] > 0.5 > similarity[0, 2])
    True

    Source: Weinberger et al. 2009, Feature Hashing for Large Scale Multitask Learning (arXiv 0902.2206), equation 2.
    """

    name = "ngram"

    def __init__(self, orders: Sequence[int] = (2, 3, 4), dimension: int = 1024, sublinear: bool = True):
        if min(orders, default=0) < 1 or dimension < 64:
            raise UsageError(f"orders is {orders}, dimension {dimension}; expected 1 or more of each, and 64 or more")
        self.orders = tuple(sorted(set(orders)))
        self.dimension = dimension
        self.sublinear = sublinear

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            Rows on the CPU; nothing is ever cut.
        """
        counts = self._signed_counts(texts)
        if self.sublinear:
            counts *= counts.abs().clamp_min_(1).rsqrt_()  # x / √|x|, and 0 stays 0
        return Embedded(normalize(counts), torch.zeros(len(texts), dtype=torch.bool, device="cpu"))

    def _signed_counts(self, texts: Sequence[str]) -> Tensor:
        if len(texts) > 1 and sum(map(len, texts)) > _BLOCK:
            half = len(texts) // 2
            return torch.cat([self._signed_counts(texts[:half]), self._signed_counts(texts[half:])])
        grams, rows = self._grams(texts)
        buckets = rows * self.dimension + (grams * self.dimension >> 31)
        signs = (grams & 1) * 2 - 1
        counts = torch.zeros(len(texts) * self.dimension, device="cpu")
        counts.scatter_add_(0, buckets.flatten(), signs.flatten().float())
        return counts.view(len(texts), self.dimension)

    def _grams(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Hash of each n-gram (orders, starts), and the row each start belongs to (starts,)."""
        gap = END * (self.orders[-1] - 1)
        stream = (START + (gap + START).join(texts) + gap).encode("utf-32-le", "surrogatepass")
        characters = torch.frombuffer(bytearray(stream), dtype=torch.int32).long()
        lengths = torch.tensor([len(text) + 1 for text in texts], dtype=torch.long, device="cpu")
        rows = torch.arange(len(texts), device="cpu").repeat_interleave(lengths)
        starts = torch.arange(len(rows), device="cpu") + rows * len(gap)
        hashed, grams = torch.zeros_like(starts), []
        for offset in range(self.orders[-1]):
            hashed = (hashed + characters[starts + offset] + 1) * 0x5BD1E995 & _MASK
            if offset + 1 in self.orders:
                grams.append(hashed)
        hashed = torch.stack(grams)  # spread, as the bucket is read off the highest bits and the sign off the lowest
        hashed = (hashed ^ (hashed >> 15)) * 0x2C1B3C6D & _MASK
        return hashed ^ (hashed >> 12), rows
