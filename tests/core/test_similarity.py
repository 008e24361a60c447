"""Kernels against their loops, and at the edges: zero vectors, copies, extreme scales, half precision, autocast."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st

from dra_grpo.core.similarity import KERNELS, cosine_similarity, rbf

deterministic = settings(derandomize=True, deadline=None, max_examples=40, database=None)
ALL_KERNELS = pytest.mark.parametrize("kernel", KERNELS)
POSITIVE_SEMIDEFINITE = [name for name in KERNELS if name != "cosine_clamped"]


@st.composite
def small_rows(draw):
    """Rows of small integers: copies, zero vectors and opposites are common, near-ties are not."""
    G, D = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    row = st.lists(st.integers(-3, 3).map(float), min_size=D, max_size=D)
    return draw(st.lists(row, min_size=G, max_size=G))


def random_rows(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@ALL_KERNELS
@given(X=small_rows())
@deterministic
def test_equals_the_loop(loops, kernel, X):
    for dtype, atol in ((torch.float64, 1e-12), (torch.float32, 2e-6)):
        found = KERNELS[kernel](torch.tensor(X, dtype=dtype))
        assert found.dtype == dtype
        expected = torch.tensor(loops.kernel[kernel](X), dtype=torch.float64)
        torch.testing.assert_close(found.double(), expected, atol=atol, rtol=0)


@ALL_KERNELS
@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_scale_does_not_matter(kernel, scale):
    x = random_rows(6, 8, dtype=torch.float32)
    torch.testing.assert_close(KERNELS[kernel](x * scale), KERNELS[kernel](x), atol=2e-6, rtol=0)


@pytest.mark.parametrize("kernel", ["cosine", "cosine_clamped", "cosine_shifted"])
def test_rows_of_different_scale(kernel):
    x = random_rows(4, 8, dtype=torch.float32)
    scale = torch.tensor([1e-30, 1.0, 1e15, 1e30])[:, None]
    torch.testing.assert_close(KERNELS[kernel](x * scale), KERNELS[kernel](x), atol=2e-6, rtol=0)


@pytest.mark.parametrize("kernel", POSITIVE_SEMIDEFINITE)
def test_positive_semidefinite(kernel):
    x = random_rows(3, 12, 4)
    x[0, 3], x[1, 4] = 0, x[1, 5]
    assert torch.linalg.eigvalsh(KERNELS[kernel](x)).min() > -1e-12


def test_autocast_does_not_lower_the_precision():
    x = random_rows(5, 16, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(cosine_similarity(x), cosine_similarity(x.clone()))
        inside = cosine_similarity(x)
    assert torch.equal(inside, cosine_similarity(x))


@ALL_KERNELS
@pytest.mark.parametrize("shape", [(1, 3), (0, 4, 3), (2, 1, 3)])
def test_empty_and_single_groups(kernel, shape):
    found = KERNELS[kernel](torch.ones(shape))
    assert found.shape == (*shape[:-1], shape[-2])
    assert (found.diagonal(dim1=-2, dim2=-1) == 1).all()


def test_prompt_centred_copies_are_zero_vectors_not_rounding():
    x = random_rows(1, 64, dtype=torch.float32).repeat(7, 1)
    assert torch.equal(KERNELS["prompt_centred"](x), torch.eye(7))


@pytest.mark.parametrize("kernel", [name for name in KERNELS if name != "rbf"])
def test_gradient(kernel):
    x = random_rows(2, 4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(KERNELS[kernel], (x,))


def test_gradient_of_rbf_with_its_bandwidth_held():
    x = random_rows(5, 3, seed=1).requires_grad_()
    distance = torch.pdist(x.detach()).sort().values
    sigma = distance[(len(distance) - 1) // 2]

    def held(x):
        return torch.exp(-(x[:, None] - x[None]).square().sum(-1) / (2 * sigma**2))

    weights = random_rows(5, 5, seed=2)
    (found,) = torch.autograd.grad((rbf(x) * weights).sum(), x)
    (expected,) = torch.autograd.grad((held(x) * weights).sum(), x)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


@ALL_KERNELS
def test_gradient_is_finite_at_zero_vectors_and_copies(kernel):
    x = torch.tensor([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0], [-1.0, 0.5], [0.0, 0.0]], requires_grad=True)
    KERNELS[kernel](x).square().sum().backward()
    assert x.grad.isfinite().all()
