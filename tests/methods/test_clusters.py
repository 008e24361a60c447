"""Partitions against scipy's hierarchical clustering and plain equality."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dra_grpo import METHODS, Rollouts, cosine_similarity
from dra_grpo.methods.clusters import cluster_size

SIZES = (9, 1, 5, 12)


@pytest.mark.parametrize("threshold", [-0.2, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("kind", ["single", "complete"])
@pytest.mark.parametrize("seed", range(3))
def test_similarity_as_scipy_has_it(kind, threshold, seed, rich):
    rollouts = rich(SIZES, seed=seed, D=3)
    sizes = cluster_size(rollouts, threshold=threshold, linkage=kind)
    for group in range(len(SIZES)):
        rows = rollouts.index.group == group
        if SIZES[group] == 1:
            assert sizes[rows].tolist() == [1]
            continue
        distance = (1 - cosine_similarity(rollouts.embeddings[rows])).numpy()
        np.fill_diagonal(distance, 0)
        tree = linkage(squareform(distance, checks=False).clip(0), kind)
        labels = fcluster(tree, 1 - threshold, criterion="distance").tolist()
        assert sizes[rows].tolist() == [labels.count(label) for label in labels]


def test_a_callable_is_asked_once_for_each_pair_of_different_scored_texts_of_a_group():
    texts = ["ab", "ac", "xy", "ab", "ad", "az"]
    rewards = torch.tensor([1.0, 1, 1, 1, torch.nan, 1])
    rollouts = Rollouts(rewards, torch.tensor([0, 0, 0, 0, 0, 1]), texts=texts)
    asked = []

    def same_start(a, b):
        asked.append((a, b))
        return a[0] == b[0]

    assert cluster_size(rollouts, clusters=same_start)[[0, 1, 2, 3, 5]].tolist() == [3, 3, 1, 3, 1]
    assert sorted(asked) == [("ab", "ac"), ("ab", "xy"), ("ac", "xy")]


def test_a_callable_by_its_path():
    rollouts = Rollouts(torch.ones(3), torch.zeros(3).long(), texts=["b", "a", "c"])
    assert cluster_size(rollouts, clusters="operator:ne", threshold=0.5, linkage="complete").tolist() == [3, 3, 3]
    assert METHODS["darling"](rollouts, clusters="operator:eq").weights.tolist() == [1, 1, 1]


def test_complete_linkage_does_not_join_beyond_what_every_pair_allows():
    def neighbours(a, b):
        return abs(int(a) - int(b)) <= 1

    rollouts = Rollouts(torch.ones(4), torch.zeros(4).long(), texts=["1", "2", "3", "4"])
    assert cluster_size(rollouts, clusters=neighbours, threshold=0.5, linkage="single").tolist() == [4, 4, 4, 4]
    assert cluster_size(rollouts, clusters=neighbours, threshold=0.5, linkage="complete").tolist() == [2, 2, 2, 2]


@pytest.mark.parametrize(
    ("clusters", "needed"),
    [("similarity", "embeddings"), ("text", "texts"), ("answer", "answers"), (str.__eq__, "texts"), ("a:b", "texts")],
    ids=str,
)
@pytest.mark.parametrize("name", ["darling", "uniqueness"])
def test_what_is_needed_follows_the_choice(name, clusters, needed):
    assert METHODS[name].needs(clusters=clusters) == (needed,)
    with pytest.raises(ValueError, match=f"method '{name}' needs {needed}, which the rollouts do not carry"):
        METHODS[name](Rollouts(torch.ones(2), torch.zeros(2).long()), clusters=clusters)


def test_unknown_choices_are_refused(rich):
    with pytest.raises(ValueError, match="clusters is 'texts'; expected 'similarity', 'text', 'answer', same"):
        METHODS["darling"].needs(clusters="texts")
    with pytest.raises(ValueError, match="linkage is 'average'; expected 'single' or 'complete'"):
        METHODS["darling"](rich(), linkage="average")
    with pytest.raises(ValueError, match="'no_such:same' cannot be loaded"):
        METHODS["darling"](rich(), clusters="no_such:same")
