"""Diagnostics of a step, by groups small enough to count by hand."""

import math

import pytest
import torch

from dra_grpo import METHODS, Rollouts
from dra_grpo.engines.diagnostics import step_diagnostics

SAME, OTHER = [1.0, 0.0], [0.0, 1.0]


@pytest.mark.parametrize(("method", "adjusted"), [("dra", 2 / 4), ("dra-signed", 3 / 4), ("none", 3 / 4)])
def test_groups_without_a_gradient(method, adjusted):
    rewards = [1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1]
    embeddings = [SAME, SAME, SAME, SAME, SAME, OTHER, SAME, SAME, OTHER, SAME, OTHER, OTHER]
    rollouts = Rollouts(
        torch.tensor(rewards).float(), torch.arange(4).repeat_interleave(3), torch.tensor(embeddings)
    )  # all right and alike; all right, one other; all wrong; mixed
    found = step_diagnostics(rollouts, METHODS[method](rollouts))
    assert found["raw_zero_variance"] == 3 / 4
    assert found["adjusted_zero_variance"] == adjusted
    assert ("smi" in found) is (method != "none")  # logged where it is measured


def test_a_group_that_could_not_be_scored_counts_nowhere():
    rollouts = Rollouts(torch.tensor([math.nan, math.nan, 1.0, 0.0]), torch.tensor([0, 0, 1, 1]))
    found = step_diagnostics(rollouts, METHODS["none"](rollouts))
    assert found["raw_zero_variance"] == found["adjusted_zero_variance"] == 0
    assert found["adjusted_reward"] == 0.5
