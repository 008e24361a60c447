"""Every worked number of the DRA method, to 1e-5, through the public names."""

from __future__ import annotations

import pytest
import torch

import dra_grpo
from dra_grpo import adjust_rewards, grpo_advantages, logdet

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
LOGDET = [2.013635, 1.688353, 1.077215, 0.129648]


def close(found, expected, atol=1e-5):
    torch.testing.assert_close(found.double(), torch.tensor(expected, dtype=torch.float64), atol=atol, rtol=0)


def test_logdet_without_jitter(worked):
    close(logdet(worked.similarity, jitter=0.0), [2.0244, 1.6976, 1.0812, 0.1302], atol=5e-5)


@DTYPES
@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, [0.344828, 0.370370, 0.0, 0.625]),
        ({"correct_only": True}, [0.476190, 0.5, 0.0, 0.769231]),
        ({"smi": "logdet"}, [1 / (1 + LOGDET[0]), 1 / (1 + LOGDET[1]), 0.0, 1 / (1 + LOGDET[3])]),
        ({"smi": "facility_location"}, [1 / 3.8, 1 / 3.6, 0.0, 1 / 1.9]),
    ],
    ids=["graph_cut", "correct_only", "logdet", "facility_location"],
)
def test_adjusted_rewards(worked, dtype, options, expected):
    close(adjust_rewards(worked.rewards.to(dtype), worked.embeddings.to(dtype), **options).rewards, expected)


@DTYPES
@pytest.mark.parametrize(
    "smi, expected",
    [("graph_cut", [1.9, 1.7, 1.8, 0.6]), ("logdet", LOGDET), ("facility_location", [2.8, 2.6, 2.6, 0.9])],
)
def test_smi_and_weights(worked, dtype, smi, expected):
    close(getattr(dra_grpo, smi)(worked.similarity.to(dtype)), expected)
    adjusted = adjust_rewards(worked.rewards.to(dtype), worked.embeddings.to(dtype), smi=smi)
    close(adjusted.smi, expected)
    close(adjusted.weights, [1 / (1 + value) for value in expected])
    assert adjusted.stage == "reward"
    assert adjusted.advantages is None


def test_four_copies_get_a_quarter():
    close(adjust_rewards(torch.ones(4), torch.tensor([[3.0, 4.0]]).repeat(4, 1)).rewards, [0.25] * 4)


def test_scaled_negative_rewards_turn_clones_into_winners():
    """The trap that `negative` exists for: three clones of one mistake beat a fourth, new mistake."""
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scaled = adjust_rewards(torch.full((4,), -0.5), x).rewards
    close(grpo_advantages(scaled), [0.5, 0.5, 0.5, -1.5], atol=1e-3)
    mirrored = adjust_rewards(torch.full((4,), -0.5), x, negative="mirror").rewards
    close(grpo_advantages(mirrored), [-0.5, -0.5, -0.5, 1.5], atol=1e-3)
    close(adjust_rewards(torch.full((4,), -0.5), x, negative="keep").rewards, [-0.5] * 4, atol=0)
