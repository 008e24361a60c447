"""An embedder by name, an object or a plain function: tried on two texts before anything is trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dra_grpo.core.similarity import unit_rows
from dra_grpo.embedders.cache import CachedEmbedder
from dra_grpo.embedders.chunks import ChunkedEmbedder
from dra_grpo.embedders.http import HttpEmbedder
from dra_grpo.embedders.minilm import MiniLMEmbedder
from dra_grpo.embedders.ngram import NgramEmbedder
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.embedders.sentence_transformer import SentenceTransformerEmbedder
from dra_grpo.embedders.static import StaticEmbedder
from dra_grpo.errors import UsageError
from dra_grpo.registry import Registry

EMBEDDERS: Registry[type] = Registry(
    "embedder",
    "dra_grpo.embedders",
    {
        "ngram": NgramEmbedder,
        "sentence-transformer": SentenceTransformerEmbedder,
        "minilm": MiniLMEmbedder,
        "static": StaticEmbedder,
        "http": HttpEmbedder,
        "chunked": ChunkedEmbedder,
        "policy": PolicyEmbedder,
    },
)

TRIED = ["1 + 1 = 2", "Two texts, so that a row too many or too few is seen."]
"""What an embedder has to embed before it is trusted."""


class FunctionEmbedder(Embedder):
    """A function from texts to rows as an embedder; each row is divided by its norm.

    Args:
        function: takes a list of N strings, gives N rows of D numbers: a tensor, a numpy array, a list of lists, or
            `Embedded` where it knows what it cut. A row must depend on its own text alone.
        name: what messages call it; None takes the function's own name.

    Raises:
        UsageError: (when embedding) what the function gives is not N rows of numbers.

    >>> lengths = FunctionEmbedder(lambda texts: [[len(text), 1] for text in texts], "lengths")
    >>> lengths.encode(["", "a"])
    tensor([[0.0000, 1.0000],
            [0.7071, 0.7071]])
    """

    def __init__(self, function: Callable[[list[str]], Any], name: str | None = None):
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts, see `Embedder`; for no texts one is embedded, for its D."""
        if not texts:
            rows, truncated = self.embed([" "])
            return Embedded(rows[:0], truncated[:0])
        given = self.function(list(texts))
        rows, truncated = given if isinstance(given, Embedded) else (given, torch.zeros(len(texts), dtype=torch.bool))
        rows = _tensor(rows, self.name).detach()
        check_rows(rows, len(texts), self.name)
        return Embedded(unit_rows(rows).float(), truncated)


def as_embedder(
    embedder: str | Embedder | PolicyEmbedder | Callable[[list[str]], Any] | Any,
    options: Mapping[str, Any] | None = None,
    device: str | torch.device | None = None,
) -> Embedder | PolicyEmbedder:
    """Whatever names or does an embedding, as an embedder that has embedded two texts already.

    What is chosen by name keeps its rows in a `CachedEmbedder`, except `ngram`, which is quicker than looking up, and
    `policy`, which changes. An object or a function of your own is called for every text; put `CachedEmbedder` around
    it where that is slow.

    Args:
        embedder: a name in `EMBEDDERS`; an object with `embed` or `encode`, such as a `SentenceTransformer`; or a
            function from texts to rows, see `FunctionEmbedder`.
        options: what an embedder chosen by name is built with.
        device: where it is built, if it can choose and `options` does not say.

    Raises:
        UsageError: no such name or option, nothing that embeds, or rows that are not two of finite numbers. What the
            embedder itself raises goes through, with a note.

    >>> as_embedder("ngram", {"dimension": 64}).encode(["2 + 2"]).shape
    torch.Size([1, 64])
    >>> as_embedder(lambda texts: [[float(len(text)), 1.0] for text in texts]).encode(["a", "b"]).shape
    torch.Size([2, 2])
    """
    built = build(embedder, options, device)
    if isinstance(built, PolicyEmbedder):
        return built
    try:
        rows, _ = built.embed(TRIED)
    except Exception as error:
        error.add_note(f"raised when embedder {built.name!r} was tried on two texts")
        raise
    check_rows(rows, len(TRIED), built.name)
    if not rows.isfinite().all():
        raise UsageError(f"embedder {built.name!r} gives NaN or infinity for {TRIED}; expected finite numbers")
    return CachedEmbedder(built) if isinstance(embedder, str) and not isinstance(built, NgramEmbedder) else built


def build(
    embedder: Any, options: Mapping[str, Any] | None = None, device: str | torch.device | None = None
) -> Embedder | PolicyEmbedder:
    """`as_embedder` without the trial and without a cache.

    Raises:
        UsageError: no such name or option, or nothing that embeds.
    """
    name = getattr(embedder, "name", None) or getattr(embedder, "__name__", type(embedder).__name__)
    if isinstance(embedder, str):
        name, embedder = embedder, _built(embedder, dict(options or {}), device)
    elif options:
        raise UsageError(f"embedder_options go with an embedder's name; {name!r} is built already")
    if isinstance(embedder, Embedder | PolicyEmbedder):
        return embedder
    function = getattr(embedder, "embed", None) or getattr(embedder, "encode", None) or embedder
    if isinstance(embedder, type) or not callable(function):
        raise UsageError(
            f"embedder is {embedder!r}; expected a name such as 'ngram', an object with encode, or a function from "
            "texts to rows"
        )
    return FunctionEmbedder(function, name)


def _built(name: str, options: dict[str, Any], device: str | torch.device | None) -> Any:
    kind = EMBEDDERS[name]
    signature = inspect.signature(kind)
    # Without it every process of a machine would put its encoder on the first GPU.
    if device is not None and "device" in signature.parameters:
        options.setdefault("device", str(device))
    try:
        signature.bind(**options)
    except TypeError as error:
        raise UsageError(f"embedder {name!r} refuses embedder_options {options}: {error}") from error
    return kind(**options)


def _tensor(rows: Any, name: str) -> Tensor:
    if isinstance(rows, Tensor):
        return rows
    try:
        if isinstance(rows, Sequence) and rows and isinstance(rows[0], Tensor):
            return torch.stack(list(rows))
        return torch.as_tensor(np.asarray(rows), device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"embedder {name!r} gives a {type(rows).__name__} that is no table of numbers ({reason}); expected (N, D)"
        ) from error


def check_rows(rows: Tensor, count: int, name: str) -> None:
    """Raise unless `rows` is a tensor of `count` rows of numbers.

    Raises:
        UsageError: another shape, or complex numbers.
    """
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1] or rows.is_complex():
        raise UsageError(
            f"embedder {name!r} gives {rows.dtype} of shape {tuple(rows.shape)} for {count} texts; "
            f"expected floats of shape ({count}, D)"
        )
