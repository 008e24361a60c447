"""What an adjustment costs, counted in the entries of the tensors that it creates."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dra_grpo import METHODS, adjust_rewards
from dra_grpo.core import KERNELS, SMI


class Entries(TorchDispatchMode):
    """Counts the entries that the operators' results have: of the largest, and of all together."""

    largest = total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.largest, self.total = max([self.largest, *sizes]), self.total + sum(sizes)
        return result


EXPENSIVE = {
    "dra": [
        {"smi": smi, "kernel": kernel}
        for smi in SMI
        for kernel in KERNELS
        if (smi, kernel) != ("logdet", "cosine_clamped")
    ],
    "logdet_marginal": [{}, {"credit": "shapley", "samples": 4}],
    "darling": [{}, {"clusters": "text"}, {"clusters": str.__eq__}, {"linkage": "complete"}],
}


def test_a_large_group_does_not_make_small_ones_dear(every, rich, take):
    rollouts = rich((50, *[4] * 20), D=3)
    linear = len(rollouts.rewards) * (384 if every == "random" else 3)
    rows = [(rollouts.index.group == group).nonzero().flatten() for group in range(21)]
    for options in EXPENSIVE.get(every, [{}]):
        alone = Entries()
        for of_group in rows:
            part = take(rollouts, of_group)
            with alone:
                METHODS[every](part, **options)
        with Entries() as together:
            METHODS[every](rollouts, **options)
        assert together.total <= 2 * alone.total, options
        assert together.largest <= 2 * max(alone.largest, linear), options


@pytest.mark.parametrize("kernel", ["cosine", "cosine_shifted"])
@pytest.mark.parametrize("correct_only", [False, True])
def test_graph_cut_creates_nothing_larger_than_the_embeddings(kernel, correct_only):
    G, D = 1024, 16
    x = torch.randn(G, D, generator=torch.Generator().manual_seed(0), requires_grad=True)
    rewards = torch.ones(G)
    rewards[3], rewards[5] = torch.nan, 0.0
    with Entries() as linear:
        adjusted = adjust_rewards(rewards, x, kernel=kernel, correct_only=correct_only)
        adjusted.rewards.nansum().backward()
    assert linear.largest == G * D
    assert x.grad.abs().sum() > 0
    with Entries() as pairwise:
        adjust_rewards(rewards, x, kernel="cosine_clamped")
    assert pairwise.largest >= G * G
