"""Graph cut never forms the pairwise matrix: no tensor it creates has room for G×G entries."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dra_grpo import adjust_rewards, cosine_similarity, graph_cut

G, D = 1024, 16


class LargestTensor(TorchDispatchMode):
    """Records the most entries that any operator's result has, forward and backward."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.entries = max(self.entries, leaf.numel())
        return result


@pytest.mark.parametrize("kernel", ["cosine", "cosine_shifted"])
@pytest.mark.parametrize("correct_only", [False, True])
def test_graph_cut_creates_nothing_larger_than_the_embeddings(kernel, correct_only):
    x = torch.randn(G, D, generator=torch.Generator().manual_seed(0), requires_grad=True)
    rewards = torch.ones(G)
    rewards[3], rewards[5] = torch.nan, 0.0
    with LargestTensor() as largest:
        adjusted = adjust_rewards(rewards, x, kernel=kernel, correct_only=correct_only)
        adjusted.rewards.nansum().backward()
    assert largest.entries == G * D < G * G
    assert x.grad.abs().sum() > 0


def test_the_recorder_sees_a_pairwise_matrix():
    with LargestTensor() as largest:
        graph_cut(cosine_similarity(torch.ones(G, D)))
    assert largest.entries == G * G
    with LargestTensor() as largest:
        adjust_rewards(torch.ones(G), torch.ones(G, D), kernel="cosine_clamped")
    assert largest.entries >= G * G
