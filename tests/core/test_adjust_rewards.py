"""`adjust_rewards` on everything a trainer can hand it, against one plain loop over groups and rows."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from hypothesis import given, settings, strategies as st

from dra_grpo import adjust_rewards
from dra_grpo.core import KERNELS, SMI

PAIRS = [(smi, kernel) for smi in SMI for kernel in KERNELS if (smi, kernel) != ("logdet", "cosine_clamped")]
ALL_PAIRS = pytest.mark.parametrize("smi, kernel", PAIRS, ids=[f"{smi}-{kernel}" for smi, kernel in PAIRS])
FIELDS = ("rewards", "weights", "smi")
deterministic = settings(derandomize=True, deadline=None, max_examples=25, database=None)
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
@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (3, 1)], ids=["no groups", "empty groups", "groups of one"])
def test_empty_batches(smi, kernel, shape):
    found = adjust_rewards(torch.ones(shape), torch.ones(*shape, 2), smi=smi, kernel=kernel, normalize="mean")
    for name in FIELDS:
        assert getattr(found, name).shape == shape
    flat = adjust_rewards(torch.ones(0), torch.ones(0, 2), torch.ones(0, dtype=torch.long), smi=smi, kernel=kernel)
    assert flat.rewards.shape == (0,)


@ALL_PAIRS
@pytest.mark.parametrize("D", [3, 96], ids=["through the matrix", "linear where it can be"])
def test_without_the_clamp_equals_the_loop(random_batch, loops, smi, kernel, D):
    rewards, x = random_batch(B=4, G=6, D=D, seed=1)
    with warnings.catch_warnings(action="ignore"):
        found = adjust_rewards(rewards, x, smi=smi, kernel=kernel, clamp=False)
    for b in range(4):
        expected = loops.dra(
            rewards[b].tolist(), x[b].tolist(), [0] * 6, (rewards[b] > 0).tolist(),
            smi=smi, kernel=kernel, jitter=1e-3, clamp=False, correct_only=False,
        )  # fmt: skip
        for name, values in zip(FIELDS, expected, strict=True):
            assert getattr(found, name)[b].tolist() == pytest.approx(values, abs=1e-7), name


def test_one_plus_smi_below_zero_warns_once():
    rewards, x = torch.ones(3), torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.1]])
    with pytest.warns(UserWarning, match="1 \\+ SMI is zero or negative for some completions"):
        found = adjust_rewards(rewards, x, clamp=False)
    assert found.smi[0] < -1
    assert found.rewards[0] < 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            adjust_rewards(rewards, x, clamp=False)
    assert len(caught) == 1
    with warnings.catch_warnings(action="error"):
        adjust_rewards(rewards, x)


@ALL_PAIRS
def test_float32_stays_near_float64(random_batch, assert_same, smi, kernel):
    rewards, x = random_batch(B=4, G=16, D=32, dtype=torch.float32)
    found = adjust_rewards(rewards, x, smi=smi, kernel=kernel)
    assert found.rewards.dtype == torch.float32
    assert_same(found, adjust_rewards(rewards.double(), x.double(), smi=smi, kernel=kernel), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.uint8, torch.float16, torch.bfloat16])
def test_rewards_of_any_type_are_promoted(random_batch, assert_same, dtype):
    _, x = random_batch(B=1, dtype=torch.float32)
    rewards = torch.tensor([1, 0, 1, 1, 0])
    found = adjust_rewards(rewards.to(dtype), x[0])
    assert {getattr(found, name).dtype for name in FIELDS} == {torch.float32}
    assert_same(found, adjust_rewards(rewards.float(), x[0]), atol=0)


@pytest.mark.parametrize("jitter", [1e-3, 1e-5, 1e-6])
def test_logdet_of_float32_near_copies(loops, jitter):
    """G/jitter magnifies rounding: cosines taken in float32 would be off by .06 at 1e-5 and not definite at 1e-6."""
    g = torch.Generator().manual_seed(3)
    x = torch.randn(1, 64, generator=g) + 1e-4 * torch.randn(64, 64, generator=g)
    found = adjust_rewards(torch.ones(64), x, smi="logdet", jitter=jitter).smi
    S = loops.kernel["cosine"](x.double().tolist())
    assert found.tolist() == pytest.approx(loops.smi["logdet"](S, range(64), jitter), abs=1e-5)


@ALL_PAIRS
def test_gradient_reaches_the_embeddings_and_is_finite(smi, kernel):
    x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [-2.0, 1.0], [torch.nan, 1.0]], requires_grad=True)
    rewards = torch.tensor([1.0, 1.0, 1.0, 0.5, torch.nan])
    found = adjust_rewards(rewards, x, smi=smi, kernel=kernel)
    found.rewards[:4].sum().backward()
    assert x.grad.isfinite().all()
    assert torch.equal(x.grad[4], torch.zeros(2))
