from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.significance import holm, sign_flip_p


def over_all_signs(differences) -> float:
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    return float(np.mean([one >= abs(sum(differences)) - 1e-9 for one in sums]))


@pytest.mark.parametrize(
    "differences",
    [[0.5, 0.25, 0.25], [0.1, -0.1], [1.0] * 6, [0.3, -0.2, 0.7, 0.0, 0.1, -0.05, 0.0, 0.2]],
)
def test_agrees_with_every_pattern_of_signs(differences):
    assert sign_flip_p(torch.tensor(differences).double()) == pytest.approx(over_all_signs(differences))


def test_agrees_with_scipy_where_patterns_are_drawn():
    differences = np.random.default_rng(0).normal(0.15, 0.5, 40)
    reference = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    assert sign_flip_p(torch.from_numpy(differences)) == pytest.approx(reference.pvalue, abs=0.012)


def test_random_patterns_never_give_0():
    assert sign_flip_p(torch.ones(200), flips=999) == pytest.approx(1 / 1000)


def test_no_difference_at_all():
    assert sign_flip_p(torch.zeros(30)) == 1.0


@pytest.mark.parametrize("problems, samples", [(12, 4), (30, 16), (60, 1)], ids=["exact", "drawn", "one sample"])
def test_errs_no_more_often_than_its_level(problems, samples):
    """Two models alike on problems of their own difficulty each: p <= .05 in at most 5% of runs."""
    draws = np.random.default_rng(4)
    runs = 600
    p_values = []
    for run in range(runs):
        rates = draws.beta(0.6, 0.9, problems)
        difference = (draws.binomial(samples, rates) - draws.binomial(samples, rates)) / samples
        p_values.append(sign_flip_p(torch.from_numpy(difference), flips=400, seed=run))
    for level in (0.05, 0.2):
        assert np.mean(np.array(p_values) <= level) <= level + 3 * (level * (1 - level) / runs) ** 0.5


def test_finds_what_is_there():
    draws = np.random.default_rng(5)
    rates = draws.beta(0.6, 0.9, 40)
    better = np.clip(rates + 0.15, 0, 1)
    difference = (draws.binomial(32, better) - draws.binomial(32, rates)) / 32
    assert sign_flip_p(torch.from_numpy(difference)) < 0.001


def test_holm_on_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_properties(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    if p_values:
        assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


def test_holm_refuses_what_is_no_p():
    with pytest.raises(UsageError, match=r"p-values lie in \[0, 1\]"):
        holm([0.5, 1.2])
