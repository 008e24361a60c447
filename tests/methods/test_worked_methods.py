"""The worked numbers of every method, through the public doors."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import METHODS, Rollouts, adjust_rewards

S = [[1.0, 0.9, 0.8, 0.2], [0.9, 1.0, 0.7, 0.1], [0.8, 0.7, 1.0, 0.3], [0.2, 0.1, 0.3, 1.0]]
EMBEDDINGS = torch.linalg.cholesky(torch.tensor(S, dtype=torch.float64))
REWARDS = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
LOGPROBS = torch.tensor([-0.1, -0.5, -0.3, -0.9])

AT_THE_REWARD = [
    ("unlikeliness", {}, [0.8125, 0.9375, 0, 1]),
    ("mmr", {}, [1, 0.252526, -0.314726, 0.527911]),
    ("darling", {}, [0.333333, 0.333333, 0, 1]),
    ("darling", {"linkage": "complete"}, [0.333333, 0.333333, 0, 1]),
    ("logdet_marginal", {}, [0.459295, 0.466842, 0, 0.683065]),
    ("logdet_marginal", {"credit": "shapley"}, [0.575809, 0.579583, 0, 0.687694]),
]


@pytest.mark.parametrize(("name", "options", "expected"), AT_THE_REWARD, ids=lambda value: str(value)[:40])
def test_rewards_of_the_worked_example(name, options, expected):
    adjusted = adjust_rewards(REWARDS, EMBEDDINGS, method=name, logprobs=LOGPROBS, **options)
    assert adjusted.stage == "reward"
    assert adjusted.advantages is None
    torch.testing.assert_close(adjusted.rewards, torch.tensor(expected, dtype=torch.float64), atol=1e-5, rtol=0)


HALF, LIKELIER = [1.0, 1.0, 0.0, 0.0], [-1.0, -2.0, -3.0, -4.0]
AXES = [
    ("maxrl", {}, HALF, [1, 1, -1, -1]),
    ("propensity", {}, HALF, [0.537883, 1.462117, -1, -1]),
    ("propensity", {"across": "grpo"}, HALF, [0.465740, 1.266011, -0.865875, -0.865875]),
    ("maxrl-dra", {}, REWARDS.tolist(), [0.272823, 0.286464, -1, 0.440714]),
    ("smooth", {"scale": "none"}, HALF, [0.25, 0.75, -0.5, -0.5]),
    ("focal", {}, HALF, [0.4329375, 0.4329375, -0.4329375, -0.4329375]),
]


@pytest.mark.parametrize(("name", "options", "rewards", "expected"), AXES, ids=str)
def test_points_on_the_two_axes(name, options, rewards, expected):
    adjusted = adjust_rewards(rewards, EMBEDDINGS, method=name, logprobs=LIKELIER, **options)
    assert adjusted.advantages.tolist() == pytest.approx(expected, abs=2e-6)
    if name == "maxrl-dra":
        assert (1 / (1 + adjusted.smi))[[0, 1, 3]].tolist() == pytest.approx([0.476190, 0.5, 0.769231], abs=1e-6)


AT_THE_ADVANTAGE = [
    ("pass_at_k", {"k": 2}, (8, 2), (1.074172, -0.358057)),
    ("pass_at_k", {"k": 4}, (8, 2), (0.522233, -0.174078)),
    ("pass_at_k", {"k": 1}, (8, 2), (3**0.5, -(3**-0.5))),
    ("pkpo", {"k": 3}, (5, 2), (0.6, 0.5)),
    ("risk_sensitive", {}, (4, 1), (0.922469, -0.307490)),
]


@pytest.mark.parametrize(("name", "options", "counts", "expected"), AT_THE_ADVANTAGE, ids=str)
def test_advantages_of_n_completions_of_which_c_are_correct(name, options, counts, expected):
    n, c = counts
    rewards = torch.tensor([1.0] * c + [0.0] * (n - c))
    adjusted = METHODS[name](Rollouts(rewards, torch.zeros(n, dtype=torch.long)), **options)
    assert adjusted.stage == "advantage"
    torch.testing.assert_close(adjusted.rewards, rewards)
    right, wrong = expected
    torch.testing.assert_close(adjusted.advantages, torch.where(rewards > 0, right, wrong), atol=1e-5, rtol=0)
