"""SMI functions against their definitions: f({i}) + f(A) − f(A ∪ {i}), one determinant or maximum at a time.

Every test over `SMI` picks up a function added to that dict; its definition goes into `SMI_LOOPS` of conftest.py.
"""

from __future__ import annotations

import math
from itertools import permutations

import mpmath
import pytest
import torch
from hypothesis import given, settings, strategies as st

from dra_grpo.core.similarity import cosine_similarity
from dra_grpo.core.smi import SMI, facility_location, graph_cut, graph_cut_of_rows, logdet
from dra_grpo.errors import UsageError

deterministic = settings(derandomize=True, deadline=None, max_examples=40, database=None)
ALL_SMI = pytest.mark.parametrize("smi", SMI)


def cosines(*shape, seed=0, dtype=torch.float64):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return cosine_similarity(x).to(dtype)


@st.composite
def group(draw):
    """(cosines of G ≤ 5 rows, who is company), copies and zero vectors among the rows."""
    G, D = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    row = st.lists(st.integers(-3, 3).map(float), min_size=D, max_size=D)
    rows = draw(st.lists(row, min_size=G, max_size=G))
    company = draw(st.lists(st.booleans(), min_size=G, max_size=G))
    return cosine_similarity(torch.tensor(rows, dtype=torch.float64)), torch.tensor(company)


@ALL_SMI
@given(example=group())
@deterministic
def test_equals_the_definition(loops, smi, example):
    similarity, company = example
    everyone = list(range(len(similarity)))
    expected = loops.smi[smi](similarity.tolist(), everyone)
    assert SMI[smi](similarity).tolist() == pytest.approx(expected, abs=1e-9)
    some = [i for i in everyone if company[i]]
    expected = loops.smi[smi](similarity.tolist(), some)
    assert SMI[smi](similarity, company=company).tolist() == pytest.approx(expected, abs=1e-9)


@ALL_SMI
def test_permuting_the_rows_permutes_the_smi(smi):
    similarity = cosines(4, 6)
    company = torch.tensor([True, False, True, True])
    for order in map(list, permutations(range(4))):
        permuted = similarity[order][:, order]
        torch.testing.assert_close(SMI[smi](permuted), SMI[smi](similarity)[order])
        found = SMI[smi](permuted, company=company[order])
        torch.testing.assert_close(found, SMI[smi](similarity, company=company)[order])


@ALL_SMI
def test_a_batch_is_its_groups_one_by_one(smi):
    similarity = cosines(2, 3, 5, 4)
    company = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(1)) < 0.7
    found = SMI[smi](similarity, company=company)
    assert found.shape == (2, 3, 5)
    for a in range(2):
        for b in range(3):
            alone = SMI[smi](similarity[a, b], company=company[a, b])
            torch.testing.assert_close(found[a, b], alone, atol=1e-12, rtol=0)


@ALL_SMI
def test_a_copy_raises_the_smi(smi):
    x = torch.randn(5, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64).abs()
    before = SMI[smi](cosine_similarity(x))
    with_copy = SMI[smi](cosine_similarity(torch.cat([x, x[:1]])))
    assert (with_copy[:5] > before + 1e-6).all()
    assert with_copy[0].item() == pytest.approx(with_copy[5].item())
    assert with_copy[0] - before[0] > (with_copy[1:5] - before[1:]).max()


@ALL_SMI
def test_gradient(smi):
    x = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64).requires_grad_()
    company = torch.tensor([[True, True, False, True], [True] * 4])
    assert torch.autograd.gradcheck(lambda x: SMI[smi](cosine_similarity(x)), (x,))
    assert torch.autograd.gradcheck(lambda x: SMI[smi](cosine_similarity(x), company=company), (x,))


@ALL_SMI
def test_shapes_that_do_not_fit(smi):
    with pytest.raises(UsageError, match=r"similarity must be square, shape \(\.\.\., G, G\); got \(3, 4\)"):
        SMI[smi](torch.ones(3, 4))
    with pytest.raises(UsageError, match=r"got \(3,\)"):
        SMI[smi](torch.ones(3))


@pytest.mark.parametrize("D", [1, 3, 64])
def test_linear_graph_cut_equals_the_pairwise_one(D):
    g = torch.Generator().manual_seed(D)
    x = torch.randn(60, D, generator=g, dtype=torch.float64)
    x[7] = 0
    ids = torch.randint(0, 9, (60,), generator=g)
    company = torch.rand(60, generator=g) < 0.7
    for b in range(9):
        rows = ids == b
        expected = graph_cut(cosine_similarity(x[rows]), company[rows])
        torch.testing.assert_close(graph_cut_of_rows(x[rows], company[rows]), expected, atol=1e-12, rtol=0)


def test_linear_graph_cut_of_a_row_alone_is_exactly_zero():
    x = torch.randn(50, 333, generator=torch.Generator().manual_seed(4))
    found = graph_cut_of_rows(x[:, None], torch.ones(50, 1, dtype=torch.bool))
    assert torch.equal(found, torch.zeros(50, 1))


def test_facility_location_outside_unit_diagonals(loops):
    """Where an entry exceeds the diagonal the identity with graph cut fails; the definition does not."""
    g = torch.Generator().manual_seed(6)
    similarity = torch.randn(2, 5, 5, generator=g, dtype=torch.float64)
    similarity = similarity + similarity.mT
    for S, found in zip(similarity, facility_location(similarity), strict=True):
        assert found.tolist() == pytest.approx(loops.smi["facility_location"](S.tolist(), range(5)), abs=1e-12)


@pytest.mark.parametrize("jitter", [1e-6, 1e-3, 0.1])
def test_logdet_of_copies_in_closed_form(jitter):
    """n copies: [S⁻¹]_ii with S = 11ᵀ + jitter·I is (1 − 1/(n + jitter)) / jitter."""
    for n in (2, 4, 64):
        expected = torch.log(torch.tensor((1 + jitter) * (1 - 1 / (n + jitter)) / jitter, dtype=torch.float64))
        torch.testing.assert_close(logdet(torch.ones(n, n).double(), jitter), expected.expand(n))


def test_logdet_of_near_copies_against_fifty_digits():
    G = 24
    g = torch.Generator().manual_seed(7)
    x = torch.randn(1, 32, generator=g).double() + 1e-4 * torch.randn(G, 32, generator=g).double()
    similarity = cosine_similarity(x)
    with mpmath.workdps(50):
        exact = mpmath.matrix(similarity.tolist()) + mpmath.mpf("1e-3") * mpmath.eye(G)
        inverse = exact**-1
        expected = [float(mpmath.log(exact[i, i] * inverse[i, i])) for i in range(G)]
    assert logdet(similarity).tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("off_diagonal, jitter", [(2.0, 1e-3), (1.0, 0.0), (math.nan, 1e-3), (math.inf, 1e-3)])
def test_logdet_needs_a_finite_and_positive_definite_similarity(off_diagonal, jitter):
    with pytest.raises(UsageError, match=f"finite and positive definite .* with jitter {jitter:g} .*: raise jitter"):
        logdet(torch.tensor([[1.0, off_diagonal], [off_diagonal, 1.0]]), jitter)
