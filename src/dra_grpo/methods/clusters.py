"""Which completions of a group say the same: the partition that `darling` and `uniqueness` count by."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from dra_grpo.core import Rollouts, group_similarity
from dra_grpo.errors import UsageError
from dra_grpo.methods.method import given
from dra_grpo.registry import load_path

Clusters = str | Callable[[str, str], bool]
FIELDS = {"similarity": "embeddings", "text": "texts", "answer": "answers"}


def cluster_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """The field of `Rollouts` that the option `clusters` reads: a callable compares texts."""
    clusters = options["clusters"]
    if isinstance(clusters, str) and ":" not in clusters and clusters not in FIELDS:
        known = ", ".join(map(repr, FIELDS))
        raise UsageError(
            f"unknown clusters {clusters!r}; expected {known}, a callable same(a, b) or its path 'package.module:same'"
        )
    return (FIELDS.get(clusters, "texts") if isinstance(clusters, str) else "texts",)


def cluster_labels(rollouts: Rollouts, clusters: Clusters, threshold: float, linkage: str) -> Tensor:
    """Partition each group's scored completions.

    Args:
        rollouts: with what `cluster_fields` names.
        clusters: "similarity": cosine of embeddings above `threshold`. "text": the same text. "answer": the same
            answer; None is the same as nothing. A callable `same(a, b)`, or its path `package.module:same`: asked once
            for each pair of different texts of a group, and taken to be symmetric.
        threshold: of "similarity".
        linkage: "single" joins whatever a chain of pairs connects (union-find: a ~ b ~ c makes one cluster however
            little a has of c). "complete" joins clusters, nearest first, while every pair between them is alike; where
            `same` is not transitive and ties decide, the earlier rows win.

    Returns:
        int64 (B, G): equal within a cluster, the place of one of its rows; rows without a score stand alone.

    Raises:
        UsageError: an unknown linkage.
    """
    if linkage not in ("single", "complete"):
        raise UsageError(f"unknown linkage {linkage!r}; expected 'single' or 'complete'")
    likeness = _likeness(rollouts, clusters)
    if clusters != "similarity":
        threshold = 0.5
    scored = rollouts.index.pad(rollouts.scored, False)
    likeness = likeness.masked_fill(~(scored[:, :, None] & scored[:, None, :]), -torch.inf)
    likeness.diagonal(dim1=-2, dim2=-1).fill_(-torch.inf)
    return _connected(likeness > threshold) if linkage == "single" else _complete(likeness, threshold)


def cluster_size(rollouts: Rollouts, clusters: Clusters, threshold: float, linkage: str) -> Tensor:
    """(N,) how many scored completions row i's cluster has, itself included; see `cluster_labels`."""
    labels = cluster_labels(rollouts, clusters, threshold, linkage)
    scored = rollouts.index.pad(rollouts.scored, False)
    return rollouts.index.unpad(((labels[:, :, None] == labels[:, None, :]) & scored[:, None, :]).sum(-1))


def _likeness(rollouts: Rollouts, clusters: Clusters) -> Tensor:
    if clusters == "similarity":
        return group_similarity(rollouts)
    device = rollouts.rewards.device
    if isinstance(clusters, str) and clusters in FIELDS:
        code = rollouts.index.pad(torch.tensor(_codes(given(rollouts, FIELDS[clusters])), device=device), -1)
        return (code[:, :, None] == code[:, None, :]).float()
    return _asked(rollouts, load_path(clusters) if isinstance(clusters, str) else clusters).to(device)


def _codes(values: Sequence[str | None]) -> list[int]:
    """One integer a distinct value; every None has its own."""
    seen: dict[Hashable, int] = {}
    return [seen.setdefault((row,) if value is None else value, len(seen)) for row, value in enumerate(values)]


def _asked(rollouts: Rollouts, same: Callable[[str, str], bool]) -> Tensor:
    B, G = rollouts.index.shape
    likeness = torch.zeros(B, G, G, device="cpu")
    members: list[list[tuple[int, str]]] = [[] for _ in range(B)]
    rows = zip(rollouts.index.group.tolist(), rollouts.index.position.tolist(), rollouts.scored.tolist(), strict=True)
    for (group, position, scored), text in zip(rows, given(rollouts, "texts"), strict=True):
        if scored:
            members[group].append((position, text))
    for group, texts in enumerate(members):
        for (i, a), (j, b) in combinations(sorted(texts), 2):
            likeness[group, i, j] = likeness[group, j, i] = float(a == b or bool(same(a, b)))
    return likeness


def _connected(linked: Tensor) -> Tensor:
    """Connected components of (B, G, G) links: each row takes its neighbours' smallest label until none changes."""
    B, G = linked.shape[:2]
    labels = torch.arange(G, device=linked.device).expand(B, G)
    while G:
        spread = torch.minimum(labels, torch.where(linked, labels[:, None, :], G).amin(-1))
        if torch.equal(spread, labels):
            break
        labels = spread
    return labels


def _complete(likeness: Tensor, threshold: float) -> Tensor:
    """Complete linkage of all groups at once: at most G − 1 rounds, in each of which every group merges one pair."""
    B, G = likeness.shape[:2]
    labels = torch.arange(G, device=likeness.device).repeat(B, 1)
    likeness = likeness.clone()
    for _ in range(G - 1):
        nearest, pair = likeness.flatten(1).max(1)
        group = (nearest > threshold).nonzero().flatten()
        if not len(group):
            break
        a, b = pair[group] // G, pair[group] % G
        joined = torch.minimum(likeness[group, a], likeness[group, b])
        likeness[group, a], likeness[group, :, a] = joined, joined
        likeness[group, b], likeness[group, :, b] = -torch.inf, -torch.inf
        labels[group] = torch.where(labels[group] == b[:, None], a[:, None], labels[group])
    return labels
