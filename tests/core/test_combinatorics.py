"""Draws without replacement against exact binomials."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
import torch

from dra_grpo.core.combinatorics import miss_probability


@pytest.mark.parametrize("k", [1, 2, 7, 16])
def test_equals_the_binomials(k):
    n, c = zip(*((n, c) for n in (16, 17, 64, 1000) for c in range(min(n, 40) + 1)), strict=True)
    expected = [float(Fraction(comb(n - c, k), comb(n, k))) for n, c in zip(n, c, strict=True)]
    assert miss_probability(torch.tensor(n), torch.tensor(c), k).tolist() == pytest.approx(expected, abs=1e-11)


def test_certainties_are_exact():
    n = torch.tensor([16, 16, 16, 16])
    found = miss_probability(n, torch.tensor([0, 13, 14, 16]), 3)
    assert found[[0, 2, 3]].tolist() == [1.0, 0.0, 0.0]
    assert found[1].item() == pytest.approx(1 / comb(16, 3))
