"""What every text embedder promises; `tests/embedders` holds each of them to it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Embedded(NamedTuple):
    """What embedding N texts gives.

    Attributes:
        rows: float32 (N, D) without gradient on the CPU or the encoder's device, in the order of the texts, each of
            norm 1 (0 where a text has nothing to embed) and a function of its own text alone; (0, D) for no texts.
        truncated: bool (N,) on the CPU, which texts were cut at the encoder's limit.
    """

    rows: Tensor
    truncated: Tensor


class Embedder(ABC):
    """Turns texts into unit vectors whose inner product is the similarity that SMI sums.

    Attributes:
        name: its name in `EMBEDDERS`, and in messages.
    """

    name: str

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts, any of them empty.

        Args:
            texts: N strings.

        Returns:
            The rows and which texts were cut, see `Embedded`.
        """

    def encode(self, texts: Sequence[str]) -> Tensor:
        """The rows of `embed` alone.

        Args:
            texts: N strings, any of them empty.

        Returns:
            float32 (N, D), see `Embedded`.
        """
        return self.embed(texts).rows
