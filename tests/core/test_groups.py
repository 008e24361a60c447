"""Group indexing against a plain dict of lists."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

from dra_grpo.core import GroupIndex, Rollouts, group_similarity
from dra_grpo.core.similarity import KERNELS

deterministic = settings(derandomize=True, deadline=None, max_examples=60, database=None)
IDS = st.lists(st.integers(-3, 3) | st.sampled_from([-(2**63), 2**63 - 1]), max_size=12)


@given(ids=IDS)
@deterministic
def test_equals_a_dict_of_lists(ids):
    index = GroupIndex.from_ids(torch.tensor(ids, dtype=torch.long))
    members = {group: [i for i, g in enumerate(ids) if g == group] for group in sorted(set(ids))}
    B, G = len(members), max(map(len, members.values()), default=0)
    assert index.shape == (B, G)
    assert index.size.tolist() == [len(rows) for rows in members.values()]
    rows = torch.arange(1.0, len(ids) + 1)
    padded = index.pad(rows, fill=-1.0)
    assert padded.tolist() == [[i + 1.0 for i in m] + [-1.0] * (G - len(m)) for m in members.values()]
    assert torch.equal(index.unpad(padded), rows)
    assert index.sum(rows).tolist() == [sum(i + 1.0 for i in m) for m in members.values()]


@pytest.mark.parametrize("kernel", KERNELS)
def test_group_similarity_is_padded_and_blind_to_the_unscored(kernel):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(6, 4, generator=g, dtype=torch.float64)
    rewards = torch.tensor([1.0, torch.nan, 0.0, 1.0, 1.0, 0.0], dtype=torch.float64)
    ids = torch.tensor([7, 7, 7, 2, 2, 7])
    x[1] = torch.nan
    rollouts = Rollouts(rewards, ids, x)
    index = rollouts.index
    found = group_similarity(index.pad(rollouts.scored_embeddings), index.pad(rollouts.scored), kernel)
    assert found.shape == (2, 4, 4)
    torch.testing.assert_close(found[0, :2, :2], KERNELS[kernel](x[3:5]), atol=1e-12, rtol=0)
    scored = [0, 2, 3]
    torch.testing.assert_close(found[1][scored][:, scored], KERNELS[kernel](x[[0, 2, 5]]), atol=1e-12, rtol=0)
    assert found[1, 1].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert found[0, 2].tolist() == [0.0, 0.0, 1.0, 0.0]
