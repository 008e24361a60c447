"""`adjust_rewards` on everything a trainer can hand it, against one plain loop over groups and rows."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dra_grpo import adjust_rewards
from dra_grpo.core import KERNELS, SMI

PAIRS = [(smi, kernel) for smi in SMI for kernel in KERNELS if (smi, kernel) != ("logdet", "cosine_clamped")]
ALL_PAIRS = pytest.mark.parametrize("smi, kernel", PAIRS, ids=[f"{smi}-{kernel}" for smi, kernel in PAIRS])
FIELDS = ("rewards", "weights", "smi")
deterministic = settings(derandomize=True, deadline=None, max_examples=40, database=None)
IDS = st.one_of(st.integers(-2, 2), st.sampled_from([-(2**63), 2**63 - 1, 10**15]), st.integers(-(2**63), 2**63 - 1))


@st.composite
def batches(draw):
    """Ragged groups in any order: unscorable rows, copies, zero vectors, negative rewards, correctness of its own."""
    N, D = draw(st.integers(1, 10)), draw(st.integers(1, 3))
    ids = draw(st.lists(IDS, min_size=1, max_size=3))
    rewards = st.sampled_from([math.nan, -1.0, -0.5, 0.0, 0.1, 1.0, 2.0])
    entry = st.integers(-3, 3).map(float)
    return (
        draw(st.lists(rewards, min_size=N, max_size=N)),
        draw(st.lists(st.lists(entry, min_size=D, max_size=D), min_size=N, max_size=N)),
        draw(st.lists(st.sampled_from(ids), min_size=N, max_size=N)),
        draw(st.none() | st.lists(st.booleans(), min_size=N, max_size=N)),
    )


OPTIONS = st.fixed_dictionaries(
    {
        "jitter": st.sampled_from([1e-3, 0.1]),
        "clamp": st.just(True),
        "correct_only": st.booleans(),
        "negative": st.sampled_from(["scale", "keep", "mirror"]),
        "normalize": st.sampled_from([None, "mean"]),
    }
)


@ALL_PAIRS
@given(batch=batches(), options=OPTIONS)
@deterministic
def test_equals_the_loop(loops, smi, kernel, batch, options):
    rewards, X, ids, correct = batch
    found = adjust_rewards(
        torch.tensor(rewards, dtype=torch.float64),
        torch.tensor(X, dtype=torch.float64),
        torch.tensor(ids),
        correct=None if correct is None else torch.tensor(correct),
        smi=smi,
        kernel=kernel,
        **options,
    )
    is_correct = [r > 0 for r in rewards] if correct is None else correct
    expected = loops.dra(rewards, X, ids, is_correct, smi=smi, kernel=kernel, **options)
    for name, values in zip(FIELDS, expected, strict=True):
        assert getattr(found, name).tolist() == pytest.approx(values, abs=1e-7, nan_ok=True), name


@ALL_PAIRS
def test_flat_rows_in_any_order_equal_the_batch(random_batch, smi, kernel):
    rewards, x = random_batch()
    batch = adjust_rewards(rewards, x, smi=smi, kernel=kernel)
    order = torch.randperm(15, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([10**12, -4, 3]).repeat_interleave(5)
    flat = adjust_rewards(rewards.flatten()[order], x.flatten(0, 1)[order], ids[order], smi=smi, kernel=kernel)
    for name in FIELDS:
        torch.testing.assert_close(getattr(flat, name), getattr(batch, name).flatten()[order], atol=1e-12, rtol=0)


@ALL_PAIRS
def test_ragged_groups_equal_a_call_for_each(random_batch, smi, kernel):
    rewards, x = random_batch(B=1, G=12)
    ids = torch.tensor([5, 1, 5, 5, 0, 1, 5, 9, 1, 0, 5, 5])
    found = adjust_rewards(rewards[0], x[0], ids, smi=smi, kernel=kernel)
    for group in (0, 1, 5, 9):
        rows = ids == group
        alone = adjust_rewards(rewards[0, rows], x[0, rows], smi=smi, kernel=kernel)
        for name in FIELDS:
            torch.testing.assert_close(getattr(found, name)[rows], getattr(alone, name), atol=1e-12, rtol=0)


@ALL_PAIRS
def test_an_unscorable_row_takes_no_part_and_is_not_looked_at(random_batch, smi, kernel):
    rewards, x = random_batch()
    rewards[0, 1] = rewards[2, 4] = torch.nan
    x[0, 1], x[2, 4] = torch.nan, torch.inf
    found = adjust_rewards(rewards, x, smi=smi, kernel=kernel)
    scored = ~rewards.isnan()
    ids = torch.arange(3).repeat_interleave(5).view(3, 5)
    without = adjust_rewards(rewards[scored], x[scored], ids[scored], smi=smi, kernel=kernel)
    for name in FIELDS:
        torch.testing.assert_close(getattr(found, name)[scored], getattr(without, name), atol=1e-12, rtol=0)
        assert getattr(found, name)[~scored].isnan().all()


@ALL_PAIRS
@pytest.mark.parametrize("normalize", [None, "mean"])
def test_a_group_without_a_scored_row(smi, kernel, normalize):
    found = adjust_rewards(
        torch.tensor([[torch.nan, torch.nan], [1.0, 0.0]]),
        torch.tensor([[[torch.nan, 1.0], [torch.inf, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]),
        smi=smi,
        kernel=kernel,
        normalize=normalize,
    )
    for name in FIELDS:
        assert getattr(found, name)[0].isnan().all()
        assert getattr(found, name)[1].isfinite().all()


@ALL_PAIRS
def test_a_singleton_keeps_its_reward_exactly(smi, kernel):
    rewards = torch.tensor([0.7, -0.3, torch.nan, 2.0])
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    found = adjust_rewards(rewards, x, torch.tensor([3, 1, 2, 2]), smi=smi, kernel=kernel)
    scored = ~rewards.isnan()
    assert torch.equal(found.smi[scored], torch.zeros(3))
    assert torch.equal(found.weights[scored], torch.ones(3))
    assert torch.equal(found.rewards[scored], rewards[scored])


@ALL_PAIRS
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (3, 1)], ids=["no groups", "empty groups", "groups of one"])
def test_empty_batches(smi, kernel, shape):
    found = adjust_rewards(torch.ones(shape), torch.ones(*shape, 2), smi=smi, kernel=kernel, normalize="mean")
    for name in FIELDS:
        assert getattr(found, name).shape == shape
    flat = adjust_rewards(torch.ones(0), torch.ones(0, 2), torch.ones(0, dtype=torch.long), smi=smi, kernel=kernel)
    assert flat.rewards.shape == (0,)
