"""Texts to (N, D) unit vectors: one file an embedder, `EMBEDDERS` the names they are chosen by."""

from __future__ import annotations

from dra_grpo.embedders.cache import CachedEmbedder
from dra_grpo.embedders.choice import EMBEDDERS, FunctionEmbedder, as_embedder
from dra_grpo.embedders.chunks import ChunkedEmbedder
from dra_grpo.embedders.http import HttpEmbedder
from dra_grpo.embedders.minilm import MiniLMEmbedder
from dra_grpo.embedders.ngram import NgramEmbedder
from dra_grpo.embedders.policy import PolicyEmbedder
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.embedders.sentence_transformer import SentenceTransformerEmbedder
from dra_grpo.embedders.static import StaticEmbedder
from dra_grpo.embedders.steps import step_similarity

__all__ = [
    "EMBEDDERS",
    "CachedEmbedder",
    "ChunkedEmbedder",
    "Embedded",
    "Embedder",
    "FunctionEmbedder",
    "HttpEmbedder",
    "MiniLMEmbedder",
    "NgramEmbedder",
    "PolicyEmbedder",
    "SentenceTransformerEmbedder",
    "StaticEmbedder",
    "as_embedder",
    "step_similarity",
]
