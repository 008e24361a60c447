from __future__ import annotations

import pytest
import torch
from scipy import stats

from dra_grpo.evaluation.transformers_sampler import draw, uniforms


@pytest.mark.parametrize("temperature, top_p", [(1.0, 1.0), (0.6, 0.95), (0.6, 1.0), (1.5, 0.5)])
def test_frequencies_are_those_of_transformers_own_warpers(temperature, top_p):
    transformers = pytest.importorskip("transformers")
    logits = torch.tensor([[2.0, 1.0, 0.5, 0.0, -1.0, -2.0, -4.0]])
    warped = transformers.TemperatureLogitsWarper(temperature)(None, logits)
    if top_p < 1:
        warped = transformers.TopPLogitsWarper(top_p)(None, warped)
    probabilities = warped.softmax(-1)[0].double()
    draws = 40_000
    tokens = draw(logits.expand(draws, -1), uniforms([11], draws)[0], temperature, top_p)
    counts = torch.bincount(tokens, minlength=7)
    assert not counts[probabilities == 0].any()
    possible = probabilities > 0
    expected = (probabilities / probabilities.sum() * draws)[possible]
    assert stats.chisquare(counts[possible].numpy(), expected.numpy()).pvalue > 1e-3


def test_temperature_0_is_the_likeliest_token():
    assert draw(torch.tensor([[0.0, 3.0, 2.9]]), torch.tensor([0.999]), 0, 1.0).item() == 1


@pytest.mark.parametrize("top_p", [0.9, 1.0])
def test_no_impossible_token_at_the_ends(top_p):
    logits = torch.full((2, 50_000), -torch.inf)
    logits[:, 7], logits[:, 9] = 1.0, 1.0
    ends = torch.tensor([0.0, 1.0 - 2**-24])
    assert draw(logits, ends, 1.0, top_p).tolist() == [7, 9]


def test_a_row_has_its_own_stream():
    together = uniforms([5, 9, 2**31 - 1], 64)
    assert torch.equal(together[1], uniforms([9], 64)[0])
    assert torch.equal(together[1, :8], uniforms([9], 8)[0])
    assert not torch.equal(together[0], together[1])
    assert 0 <= together.min() <= together.max() < 1
