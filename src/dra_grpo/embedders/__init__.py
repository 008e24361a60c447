"""Texts to (N, D) unit vectors: one file an embedder, `EMBEDDERS` the names they are chosen by."""

from dra_grpo.embedders.cache import CachedEmbedder as CachedEmbedder
from dra_grpo.embedders.choice import FunctionEmbedder as FunctionEmbedder, as_embedder as as_embedder
from dra_grpo.embedders.chunks import ChunkedEmbedder as ChunkedEmbedder
from dra_grpo.embedders.http import HttpEmbedder as HttpEmbedder
from dra_grpo.embedders.ngram import NgramEmbedder as NgramEmbedder
from dra_grpo.embedders.policy import PolicyEmbedder as PolicyEmbedder
from dra_grpo.embedders.protocol import Embedded as Embedded, Embedder as Embedder
from dra_grpo.embedders.sentence_transformer import (
    MiniLMEmbedder as MiniLMEmbedder,
    SentenceTransformerEmbedder as SentenceTransformerEmbedder,
    StaticEmbedder as StaticEmbedder,
)
from dra_grpo.registry import Registry

_ENCODERS = NgramEmbedder, SentenceTransformerEmbedder, MiniLMEmbedder, StaticEmbedder, HttpEmbedder, ChunkedEmbedder
_KINDS: dict[str, type] = {kind.name: kind for kind in (*_ENCODERS, PolicyEmbedder)}
EMBEDDERS: Registry[type] = Registry("embedder", "dra_grpo.embedders", _KINDS)
