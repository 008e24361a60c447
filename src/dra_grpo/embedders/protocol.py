"""What every text embedder promises; `tests/embedders` holds each of them to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into unit vectors whose inner product is the similarity that SMI sums.

    Attributes:
        name: its name in `EMBEDDERS`.
        truncated: bool (N,), which texts of the last `encode` were cut at the encoder's limit.
    """

    name: str
    truncated: Tensor

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Embed N texts.

        Args:
            texts: N strings, any of them empty.

        Returns:
            float32 (N, D) without gradient on the CPU or the encoder's device, in the order of `texts`, each row of
            norm 1 (0 where a text has nothing to embed) and a function of its own text alone; (0, D) for no texts.
        """
        ...
