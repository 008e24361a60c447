"""What is known to go wrong with diversity rewards: DRA as published falls in, `dra-robust` and our own do not."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import Rollouts, adjust_rewards
from dra_grpo.core.redundancy import similarity_spread


def nearly_alike(G=8, noise=0.15, seed=0):
    """Embeddings whose mean similarities differ by a percent, as paraphrases' do."""
    g = torch.Generator().manual_seed(seed)
    return torch.ones(G, 32) + noise * torch.randn(G, 32, generator=g)


def advantages_of(method, rewards, embeddings, correct=None, **options):
    """What an engine with std normalisation makes of a method."""
    return adjust_rewards(rewards, embeddings, method=method, correct=correct, **options).to_advantages()


def test_all_correct_noise_becomes_full_size_gradient_under_dra():
    rollouts = Rollouts(torch.ones(8), torch.zeros(8).long(), nearly_alike())
    assert similarity_spread(rollouts) < 0.012
    assert advantages_of("dra", rollouts.rewards, rollouts.embeddings).abs().max() > 0.8


@pytest.mark.parametrize("method", ["dra-robust", "dra-signed", "maxrl-dra"])
def test_all_correct_noise_stays_nothing(method):
    assert (advantages_of(method, torch.ones(8), nearly_alike()) == 0).all()


def test_the_std_floor_alone_keeps_noise_small():
    advantages = advantages_of("dra", torch.ones(8), nearly_alike(), normalize="mean", std_floor=0.1)
    assert 0 < advantages.abs().max() < 0.1


def test_an_all_correct_group_that_really_differs_has_its_say_under_dra_robust():
    embeddings = torch.eye(8)
    embeddings[1:4] = embeddings[0]
    advantages = advantages_of("dra-robust", torch.ones(8), embeddings)
    assert (advantages[:4] < -0.5).all()
    assert (advantages[4:] > 0.5).all()


@pytest.mark.parametrize("method", ["dra-robust", "dra-signed", "dra-blend", "maxrl-dra"])
def test_an_all_wrong_group_with_a_format_reward_gets_no_gradient(method):
    rewards, nothing = torch.full((8,), 0.2), torch.zeros(8, dtype=torch.bool)
    embeddings = torch.randn(8, 32, generator=torch.Generator().manual_seed(0)) + 1
    assert advantages_of("dra", rewards, embeddings, nothing).abs().max() > 1
    assert advantages_of(method, rewards, embeddings, nothing).abs().max() < 1e-3  # GRPO's own rounding


def test_wrong_but_different_beats_copies_of_a_correct_one_under_dra_and_never_under_dra_robust():
    embeddings = torch.tensor([[1.0, 0.0]] * 5 + [[0.0, 1.0]])
    rewards = torch.tensor([3.0] * 5 + [1.0])  # accuracy 2 and format 1, as the paper's recipe has it
    correct = torch.tensor([True] * 5 + [False])
    published = adjust_rewards(rewards, embeddings, correct=correct).rewards
    assert published[5] > published[0]

    g = torch.Generator().manual_seed(0)
    for _ in range(200):
        G = int(torch.randint(2, 17, (), generator=g))
        correct = torch.rand(G, generator=g) < 0.5
        rewards = torch.rand(G, generator=g) + correct * 1.0
        embeddings = torch.eye(4)[torch.randint(0, 4, (G,), generator=g)] + 0.01
        robust = adjust_rewards(rewards, embeddings, method="dra-robust", correct=correct).rewards
        if correct.any() and not correct.all():
            assert robust[correct].min() >= robust[~correct].max() - 1e-6
        assert torch.equal(robust[~correct], rewards[~correct])


def test_copies_of_a_mistake_are_punished_least_under_dra_and_most_under_dra_robust():
    embeddings = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0], [-1.0, 0.0]])
    rewards, correct = torch.tensor([-0.5] * 4 + [1.0]), torch.tensor([False] * 4 + [True])
    published = adjust_rewards(rewards[:4], embeddings[:4]).to_advantages(scale="none")
    assert (published[:3] > 0).all()
    assert published[3] < 0
    robust = adjust_rewards(rewards, embeddings, method="dra-robust", correct=correct, correct_only=False).rewards
    assert (robust[:3] < robust[3]).all()
    assert (adjust_rewards(rewards, embeddings, method="dra-robust", correct=correct).rewards[:4] <= -0.5).all()


@pytest.mark.parametrize("kernel", ["cosine", "prompt_centred"])
@pytest.mark.parametrize("method", ["dra", "dra-robust", "dra-signed", "dra-blend", "maxrl-dra", "permuted"])
@pytest.mark.filterwarnings("ignore:method .dra.. 6 of 6 rewards are infinite")
def test_centred_embeddings_do_not_drive_a_denominator_to_zero(method, kernel):
    embeddings = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    centred = embeddings / embeddings.norm(dim=1, keepdim=True)
    centred = centred - centred.mean(0)  # each row's cosines now sum to about −1
    with pytest.warns(UserWarning, match="zero or negative"):
        verbatim = adjust_rewards(
            torch.ones(6), torch.eye(6)[:3].repeat(2, 1) * torch.tensor([[1.0]] * 3 + [[-1.0]] * 3), clamp=False
        )
    assert not verbatim.weights.isfinite().all()
    adjusted = adjust_rewards(torch.tensor([1.0, 1, 1, 1, 0, 0]), centred, method=method, kernel=kernel)
    moved = adjusted.rewards if adjusted.stage == "reward" else adjusted.advantages
    assert moved.abs().max() < 4


def test_mmr_rewards_the_first_pick_by_a_jump():
    embeddings = torch.tensor([[1.0, 0.0], [0.98, 0.2]])
    one = adjust_rewards(torch.tensor([1.0, 1.0 - 1e-6]), embeddings, method="mmr").rewards
    other = adjust_rewards(torch.tensor([1.0 - 1e-6, 1.0]), embeddings, method="mmr").rewards
    assert (one - other).abs().min() > 0.9


def test_copies_leave_no_rounding_for_evol_to_blow_up():
    embeddings = torch.randn(1, 300, generator=torch.Generator().manual_seed(0)).repeat(6, 1)
    assert torch.equal(adjust_rewards(torch.ones(6), embeddings, method="evol").rewards, torch.full((6,), 0.75))
