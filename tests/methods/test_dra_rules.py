"""DRA's gate, floor and rules, one by one."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import adjust_rewards
from dra_grpo.core import group_similarity
from dra_grpo.core.redundancy import similarity_spread


@pytest.mark.parametrize("kernel", ["cosine", "cosine_shifted", "cosine_clamped", "rbf"])
def test_the_spread_is_that_of_each_rows_mean_similarity(kernel, rich, without_scores):
    rollouts = without_scores(rich(), [1, 7])
    found = similarity_spread(rollouts, kernel).tolist()
    index = rollouts.index
    S = group_similarity(index.pad(rollouts.scored_embeddings), index.pad(rollouts.scored), kernel)
    for group in range(len(index.size)):
        places = index.position[(index.group == group) & rollouts.scored].tolist()
        means = [
            sum(S[group, i, j].item() for j in places if j != i) / (len(places) - 1) for i in places if len(places) > 1
        ]
        assert found[group] == pytest.approx(max(means) - min(means) if means else 0.0, abs=1e-9)


def test_the_gate_opens_at_min_spread_and_looks_at_all_correct_groups_alone(rich):
    rollouts = rich((5, 5, 5), seed=2)
    spread = similarity_spread(rollouts)
    correct = torch.ones(15, dtype=torch.bool)
    correct[7] = False
    for group, wrong in ((0, False), (1, True), (2, False)):
        rows = rollouts.index.group == group
        for factor, closed in ((1.001, not wrong), (0.999, False)):
            gated = adjust_rewards(
                rollouts.rewards[rows],
                rollouts.embeddings[rows],
                correct=correct[rows],
                min_spread=spread[group].item() * factor,
            )
            assert bool((gated.weights == 1).all()) == closed
            assert not (gated.smi == 0).all()


def test_kept_wrong_rewards_are_a_floor_for_the_correct():
    embeddings = torch.tensor([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 2)
    rewards, correct = torch.tensor([1.0, 1, 1, 1, 0.4, -0.4]), torch.tensor([True] * 4 + [False] * 2)
    adjusted = adjust_rewards(rewards, embeddings, correct=correct, wrong="keep")
    torch.testing.assert_close(adjusted.rewards, torch.tensor([0.4, 0.4, 0.4, 0.4, 0.4, -0.2]))
    torch.testing.assert_close(adjusted.rewards, rewards * adjusted.weights)


def test_a_correct_reward_below_a_wrong_one_is_not_raised():
    adjusted = adjust_rewards(
        torch.tensor([0.3, 0.3, 0.5]), torch.ones(3, 2), correct=torch.tensor([True, True, False]), wrong="keep"
    )
    torch.testing.assert_close(adjusted.rewards, torch.tensor([0.3, 0.3, 0.5]))


@pytest.mark.parametrize("method", ["dra", "permuted", "random", "dra-robust"])
def test_the_std_floor_of_the_options_takes_effect(method):
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    adjusted = adjust_rewards([1.0, 1.0, 1.0, 0.0], embeddings, method=method, std_floor=5.0)
    centred = adjusted.rewards - adjusted.rewards.mean()
    torch.testing.assert_close(adjusted.to_advantages(), centred / (5 + 1e-4))
    torch.testing.assert_close(adjusted.to_advantages(scale="none"), centred)
