"""Which completions of a group say the same: the partition that `darling` and `uniqueness` count by."""

from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core import Rollouts, group_similarity
from dra_grpo.errors import UsageError
from dra_grpo.registry import load_path

Linkage = Literal["single", "complete"]
Clusters = str | Callable[[str, str], bool]
FIELDS = {"similarity": "embeddings", "text": "texts", "answer": "answers"}


def cluster_fields(options: dict[str, Any]) -> tuple[str, ...]:
    """The field of `Rollouts` that the option `clusters` reads: a callable compares texts."""
    clusters, known = options["clusters"], ", ".join(map(repr, FIELDS))
    if isinstance(clusters, str) and ":" not in clusters and clusters not in FIELDS:
        raise UsageError(f"clusters is {clusters!r}; expected {known}, same(a, b) or its path 'package.module:same'")
    return (FIELDS.get(clusters, "texts"),)


def cluster_size(
    rollouts: Rollouts, *, clusters: Clusters = "similarity", threshold: float = 0.5, linkage: Linkage = "single"
) -> Tensor:
    """How many scored completions of the group say the same as each does, itself included.

    Args:
        rollouts: with what `cluster_fields` names.
        clusters: "similarity": cosine of embeddings above `threshold`. "text": the same text. "answer": the same
            answer; None is the same as nothing. A callable `same(a, b)`, or its path `package.module:same`: asked once
            for each pair of different texts that meet in a group, and taken to be symmetric.
        threshold: of "similarity".
        linkage: "single" joins whatever a chain of pairs connects (union-find: a ~ b ~ c makes one cluster however
            little a has of c). "complete" joins clusters, nearest first, while every pair between them is alike; where
            `same` is not transitive and ties decide, the earlier rows win.

    Returns:
        (N,), in at least float32; 1 for rows without a score, which stand alone.
    """
    rows, alike = _likeness(rollouts, clusters)
    limit = threshold if clusters == "similarity" else 0.5

    def sizes(rows: Tensor, scored: Tensor) -> Tensor:
        likeness = alike(rows, scored).masked_fill(~(scored[:, :, None] & scored[:, None, :]), -torch.inf)
        likeness.diagonal(dim1=-2, dim2=-1).fill_(-torch.inf)
        labels = _connected(likeness > limit) if linkage == "single" else _complete(likeness, limit)
        return (labels[:, :, None] == labels[:, None, :]).sum(-1)

    return rollouts.index.map(sizes, rows, rollouts.scored).to(rollouts.precise_rewards.dtype)


def _likeness(rollouts: Rollouts, clusters: Clusters) -> tuple[Tensor, Callable[[Tensor, Tensor], Tensor]]:
    """What two completions are compared by, one a row, and how alike the rows of padded groups are: (B, G, G)."""
    (field,) = cluster_fields({"clusters": clusters})
    if field == "embeddings":
        return rollouts.scored_embeddings, group_similarity
    values = [(row,) if value is None else value for row, value in enumerate(getattr(rollouts, field))]
    known = list(dict.fromkeys(values))
    number = {value: code for code, value in enumerate(known)}
    codes = torch.tensor([number[value] for value in values], device=rollouts.rewards.device)
    if isinstance(clusters, str) and clusters in FIELDS:
        return codes, _equal
    same = load_path(clusters) if isinstance(clusters, str) else clusters
    ask = cache(lambda a, b: bool(same(known[a], known[b])))

    def asked(codes: Tensor, scored: Tensor) -> Tensor:
        likeness = _equal(codes, scored)
        for group, members in enumerate(codes.tolist()):
            places = scored[group].nonzero().flatten().tolist()
            for i, j in combinations(places, 2):
                if members[i] != members[j]:
                    likeness[group, i, j] = likeness[group, j, i] = ask(*sorted((members[i], members[j])))
        return likeness

    return codes, asked


def _equal(codes: Tensor, scored: Tensor) -> Tensor:
    return (codes[:, :, None] == codes[:, None, :]).float()


def _connected(linked: Tensor) -> Tensor:
    """Connected components of (B, G, G) links: each row takes its neighbours' smallest label until none changes."""
    labels, spread = None, torch.arange(linked.shape[-1], device=linked.device).expand(linked.shape[:2])
    while labels is None or not torch.equal(labels, spread):
        labels = spread
        spread = torch.minimum(labels, torch.where(linked, labels[:, None, :], linked.shape[-1]).amin(-1))
    return spread


def _complete(likeness: Tensor, threshold: float) -> Tensor:
    """Complete linkage of all groups at once: at most G − 1 rounds, in each of which every group merges one pair."""
    B, G = likeness.shape[:2]
    labels = torch.arange(G, device=likeness.device).repeat(B, 1)
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
