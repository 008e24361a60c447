"""What `adjust_rewards` promises of dtypes, scales, rounding and gradients."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import adjust_rewards
from dra_grpo.core import KERNELS, SMI

PAIRS = [(smi, kernel) for smi in SMI for kernel in KERNELS if (smi, kernel) != ("logdet", "cosine_clamped")]
ALL_PAIRS = pytest.mark.parametrize("smi, kernel", PAIRS, ids=[f"{smi}-{kernel}" for smi, kernel in PAIRS])
FIELDS = ("rewards", "weights", "smi")


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
