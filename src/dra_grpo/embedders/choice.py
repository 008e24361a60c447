"""An embedder by name, an object or a plain function: tried on two texts before anything is trained."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from dra_grpo.core.similarity import unit_rows
from dra_grpo.embedders.cache import CachedEmbedder
from dra_grpo.embedders.ngram import NgramEmbedder
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError
from dra_grpo.registry import load_path


class FunctionEmbedder(Embedder):
    """A function from texts to rows as an embedder; each row is divided by its norm.

    Args:
        function: takes a list of N strings, gives N rows of D numbers: a tensor, a numpy array, a list of lists, or
            `Embedded` where it knows what it cut. A row must depend on its own text alone.
        name: what messages call it; None takes the function's own name.

    Raises:
        UsageError: (when embedding) what the function gives is not N rows. What torch says of rows that are no
            numbers goes through.

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
        if not isinstance(given, Embedded):
            given = Embedded(given, torch.zeros(len(texts), dtype=torch.bool, device="cpu"))
        rows = given.rows
        if isinstance(rows, list | tuple):
            rows = torch.stack([torch.as_tensor(row) for row in rows])
        rows = torch.as_tensor(rows).detach()
        if rows.ndim != 2 or len(rows) != len(texts) or not rows.shape[1] or rows.is_complex():
            found = f"{rows.dtype} of shape {tuple(rows.shape)} for {len(texts)} texts"
            raise UsageError(f"embedder {self.name!r} gives {found}; expected a row of floats for each")
        return Embedded(unit_rows(rows).float(), given.truncated)


def as_embedder(
    embedder: Any, options: Mapping[str, Any] | None = None, device: Any = None, cached: bool = True
) -> Embedder | PolicyEmbedder:
    """Whatever names or does an embedding, as an embedder that has embedded two texts already.

    What is chosen by name keeps its rows in a `CachedEmbedder`, except `ngram`, which is quicker than looking up, and
    `policy`, which changes. An object or a function of your own is called for every text; put `CachedEmbedder` around
    it where that is slow.

    Args:
        embedder: a name in `EMBEDDERS`; an object with `embed` or `encode`, such as a `SentenceTransformer`; a
            function from texts to rows, see `FunctionEmbedder`; or the path of one of these, `package.module:name`.
        options: what an embedder chosen by name is built with.
        device: where it is built, if it can choose and `options` does not say.
        cached: False keeps no rows.

    Raises:
        UsageError: no such name or option, nothing that embeds, or rows that are not two of finite numbers. What the
            embedder itself raises goes through, with a note.

    >>> as_embedder("ngram", {"dimension": 64}).encode(["2 + 2"]).shape
    torch.Size([1, 64])
    >>> as_embedder(lambda texts: [[float(len(text)), 1.0] for text in texts]).encode(["a", "b"]).shape
    torch.Size([2, 2])
    """
    if isinstance(embedder, str) and ":" in embedder:
        embedder = load_path(embedder)
    built = _built(embedder, dict(options or {}), device) if isinstance(embedder, str) else embedder
    name = getattr(built, "name", None) or getattr(built, "__name__", type(built).__name__)
    if options and built is embedder:
        raise UsageError(f"embedder_options go with an embedder's name; {name!r} is built already")
    if isinstance(built, PolicyEmbedder):
        return built
    if not isinstance(built, Embedder):
        function = getattr(built, "embed", None) or getattr(built, "encode", None) or built
        if isinstance(built, type) or not callable(function):
            raise UsageError(f"embedder is {built!r}; expected a name, an object with encode, or a function of texts")
        built = FunctionEmbedder(function, name)
    try:
        rows = FunctionEmbedder(built.embed, name).encode(["1 + 1 = 2", "two, as a row too many or too few is seen"])
    except Exception as error:
        error.add_note(f"raised when embedder {name!r} was tried on two texts")
        raise
    if not rows.isfinite().all():
        raise UsageError(f"embedder {name!r} gives NaN or infinity for a short text; expected finite numbers")
    keeps = cached and isinstance(embedder, str) and not isinstance(built, NgramEmbedder)
    return CachedEmbedder(built) if keeps else built


def _built(name: str, options: dict[str, Any], device: Any) -> Any:
    from dra_grpo.embedders import EMBEDDERS

    kind = EMBEDDERS[name]
    # Without it every process of a machine would put its encoder on the first GPU.
    if device is not None and "device" in inspect.signature(kind).parameters:
        options.setdefault("device", str(device))
    try:
        return kind(**options)
    except UsageError:
        raise
    # What the libraries below say of an option, a folder or a device; torch without CUDA asserts.
    except (AssertionError, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:600]
        raise UsageError(f"embedder {name!r} refuses embedder_options {options}: {reason}") from error
