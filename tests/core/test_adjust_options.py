"""The options of DRA: the clamp, normalisation, negative rewards, correctness."""

from __future__ import annotations

import warnings

import pytest
import torch

from dra_grpo import adjust_rewards
from dra_grpo.core import KERNELS, SMI

PAIRS = [(smi, kernel) for smi in SMI for kernel in KERNELS if (smi, kernel) != ("logdet", "cosine_clamped")]
ALL_PAIRS = pytest.mark.parametrize("smi, kernel", PAIRS, ids=[f"{smi}-{kernel}" for smi, kernel in PAIRS])
FIELDS = ("rewards", "weights", "smi")


@ALL_PAIRS
def test_without_the_clamp_equals_the_loop(random_batch, loops, smi, kernel):
    rewards, x = random_batch(B=4, G=6, D=3, seed=1)
    with warnings.catch_warnings(action="ignore"):
        found = adjust_rewards(rewards, x, smi=smi, kernel=kernel, clamp=False)
    for b in range(4):
        expected = loops.dra(
            rewards[b].tolist(), x[b].tolist(), [0] * 6, (rewards[b] > 0).tolist(),
            smi=smi, kernel=kernel, jitter=1e-3, clamp=False, correct_only=False,
        )  # fmt: skip
        for name, values in zip(FIELDS, expected, strict=True):
            assert getattr(found, name)[b].tolist() == pytest.approx(values, abs=1e-7), name


def test_weights_under_the_clamp_are_in_zero_one(random_batch):
    rewards, x = random_batch(B=20, G=6, D=2, seed=4)
    with warnings.catch_warnings(action="ignore"):
        assert (adjust_rewards(rewards, x, clamp=False).smi < 0).any()
    found = adjust_rewards(rewards, x)
    assert (found.smi >= 0).all()
    assert ((found.weights > 0) & (found.weights <= 1)).all()


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


@pytest.mark.parametrize("correct_only", [False, True])
def test_normalized_weights_average_one_over_the_correct(random_batch, correct_only):
    rewards, x = random_batch(B=6, G=5, seed=5)
    rewards[0], rewards[1, 0], rewards[2, 1] = 0.0, torch.nan, -1.0
    weights = adjust_rewards(rewards, x, normalize="mean", correct_only=correct_only).weights
    for b in range(6):
        correct = rewards[b] > 0
        if correct.any():
            assert weights[b, correct].mean().item() == pytest.approx(1)
        else:
            assert torch.equal(weights[b], torch.ones(5, dtype=torch.float64))


def test_negative_rewards():
    rewards = torch.tensor([-1.0, -1.0, 1.0, -1.0])
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    w = torch.tensor([1.0, 1.0, 1.0, 1.0])  # Σcos = 0 for the two copies, 0 and −2 (clamped) for the others
    assert torch.equal(adjust_rewards(rewards, x).weights, w)
    x[3] = torch.tensor([1.0, 0.0])
    third = 1 / 3
    for negative, expected in (
        ("scale", [third, third, 1, third]),
        ("keep", [1, 1, 1, 1]),
        ("mirror", [2 - third, 2 - third, 1, 2 - third]),
    ):
        found = adjust_rewards(rewards, x, negative=negative)
        assert found.weights.tolist() == pytest.approx(expected)
        assert torch.equal(found.rewards, rewards * found.weights)


def test_mirrored_weights_never_reward_redundancy_even_above_one(random_batch):
    """With weights normalised above 1, mirroring must not shrink a punishment."""
    rewards, x = random_batch(B=8, G=6, D=3, seed=6)
    rewards[:, ::3] = -1.0
    weights = adjust_rewards(rewards, x, negative="mirror", normalize="mean").weights
    assert (weights[rewards < 0] >= 1).all()
