"""What every method in METHODS must do; one that is added is picked up here by being there."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch

from dra_grpo import METHODS, grpo_advantages


def test_outputs_are_shaped_like_the_rewards_and_fit_the_stage(every, rich):
    rollouts = rich()
    adjusted = METHODS[every](rollouts)
    assert adjusted.stage == METHODS[every].stage
    assert adjusted.rewards.shape == adjusted.weights.shape == adjusted.smi.shape == rollouts.rewards.shape
    for value in (adjusted.rewards, adjusted.weights, adjusted.smi):
        assert value.isfinite().all()
    if adjusted.stage == "advantage":
        assert adjusted.advantages.shape == rollouts.rewards.shape
        assert adjusted.advantages.isfinite().all()
        torch.testing.assert_close(adjusted.rewards, rollouts.rewards)
    else:
        assert adjusted.advantages is None
        earned = rollouts.rewards != 0
        torch.testing.assert_close(adjusted.rewards[earned], (rollouts.rewards * adjusted.weights)[earned])


def test_torchs_default_device_does_not_matter(every, rich, same):
    rollouts = rich((12, 3))
    options = {"credit": "shapley"} if every == "logdet_marginal" else {}
    options |= {"clusters": str.__eq__} if every in ("darling", "uniqueness") else {}
    expected = METHODS[every](rollouts, **options)
    with torch.device("meta"):
        found = METHODS[every](rollouts, **options)
    same(found, expected)


def test_row_order_does_not_matter(settled, rich, take, same):
    rollouts = rich()
    order = torch.randperm(len(rollouts.rewards), generator=torch.Generator().manual_seed(1))
    same(METHODS[settled](take(rollouts, order)), METHODS[settled](rollouts), order)


def test_the_order_of_tied_rewards_does_not_matter(settled, rich, take, same):
    rollouts = rich((5, 5), seed=3)
    rollouts = take(rollouts, torch.arange(10))
    object.__setattr__(rollouts, "rewards", rollouts.correct.double())
    order = torch.tensor([4, 2, 0, 3, 1, 9, 8, 6, 5, 7])
    same(METHODS[settled](take(rollouts, order)), METHODS[settled](rollouts), order)


def test_the_order_of_groups_does_not_matter_where_places_in_the_group_are_kept(stochastic, rich, take, same):
    rollouts = rich((3, 3))
    order = torch.tensor([3, 0, 1, 4, 5, 2])
    same(METHODS[stochastic](take(rollouts, order)), METHODS[stochastic](rollouts), order)


def test_groups_do_not_know_of_each_other(settled, rich, take, same):
    rollouts = rich()
    adjusted = METHODS[settled](rollouts)
    for group in rollouts.groups.unique():
        rows = (rollouts.groups == group).nonzero().flatten()
        same(METHODS[settled](take(rollouts, rows)), adjusted, rows)


@pytest.mark.parametrize("blank", [[2], [0, 5, 6, 10], [11, 12, 13, 14, 15]], ids=["one", "some", "a whole group"])
def test_rows_without_a_score_are_marked_and_have_no_say(settled, blank, rich, take, without_scores, same):
    rollouts = rich()
    adjusted = METHODS[settled](without_scores(rollouts, blank))
    for value in (adjusted.rewards, adjusted.weights, adjusted.smi):
        assert value[blank].isnan().all()
    if adjusted.advantages is not None:
        assert (adjusted.advantages[blank] == 0).all()
    rest = torch.tensor([row for row in range(16) if row not in blank])
    same(METHODS[settled](take(rollouts, rest)), adjusted, rest)


def test_a_group_of_one_is_left_alone(every, rich):
    rollouts = rich((1, 1, 1))
    adjusted = METHODS[every](rollouts)
    torch.testing.assert_close(adjusted.rewards, rollouts.rewards)
    torch.testing.assert_close(adjusted.weights, torch.ones_like(rollouts.rewards))
    torch.testing.assert_close(adjusted.smi, torch.zeros_like(rollouts.rewards))
    if adjusted.stage == "advantage":
        assert (adjusted.advantages == 0).all()


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_an_infinite_reward_counts_as_no_score_and_no_advantage_is_ever_infinite(every, scale, rich, same):
    rollouts = rich((6, 4, 3, 2))
    rewards = rollouts.rewards.clone()
    rewards[[0, 5, 6, 13, 14]] = torch.tensor([torch.inf, -torch.inf, torch.inf, -torch.inf, torch.inf]).double()
    rewards[2] = torch.nan
    options = {"std_floor": 0.5} if "std_floor" in METHODS[every].options else {}
    options |= {"scale": scale} if "scale" in METHODS[every].options else {}
    with pytest.warns(UserWarning, match=f"method '{every}': 5 of 15 rewards are infinite") as caught:
        found = METHODS[every](replace(rollouts, rewards=rewards), **options)
    assert len(caught) == 1
    advantages = found.to_advantages(scale)
    assert advantages.isfinite().all()
    assert (advantages[~rewards.isfinite()] == 0).all()
    unscored = replace(rollouts, rewards=rewards.nan_to_num(torch.nan, torch.nan, torch.nan))
    same(found, METHODS[every](unscored, **options))


def test_rewards_at_the_end_of_the_floats_give_finite_advantages(every, rich):
    rollouts = rich(dtype=torch.float32)
    huge = replace(rollouts, rewards=torch.where(rollouts.rewards > 0, 3e38, -3e38))
    with warnings.catch_warnings(action="ignore"):
        for scale in ("group", "batch", "none"):
            assert METHODS[every](huge).to_advantages(scale).isfinite().all()


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_what_to_train_on_is_the_methods_own_or_grpos(every, scale, rich):
    rollouts = rich((4, 4))
    shape = (2, 4)
    adjusted = METHODS[every](rollouts)
    expected = adjusted.advantages
    if adjusted.stage == "reward":
        floor = METHODS[every].options.get("std_floor", 0.0)
        expected = grpo_advantages(adjusted.rewards, rollouts.groups, scale, 1e-3, floor)
    found = adjusted.reshape(shape).to_advantages(scale, 1e-3)
    assert found.shape == shape
    assert torch.equal(found.flatten(), expected)


def test_nothing_in_nothing_out(every, rich, take):
    adjusted = METHODS[every](take(rich(), torch.arange(0)))
    assert adjusted.rewards.shape == adjusted.weights.shape == adjusted.smi.shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_any_float_comes_in_and_float32_or_more_goes_out(every, dtype, rich, same):
    low = rich(dtype=dtype)
    adjusted = METHODS[every](low)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    for value in (adjusted.rewards, adjusted.weights, adjusted.smi, adjusted.advantages):
        assert value is None or value.dtype == wide
    exact = rich(dtype=dtype)
    for name in ("rewards", "embeddings", "logprobs"):
        object.__setattr__(exact, name, getattr(low, name).double())
    same(adjusted, METHODS[every](exact), atol=2e-4)


def test_inputs_are_not_written_to(every, rich):
    rollouts, untouched = rich(), rich()
    METHODS[every](rollouts)
    for name in ("rewards", "groups", "embeddings", "correct", "logprobs", "lengths"):
        assert torch.equal(getattr(rollouts, name), getattr(untouched, name))


def test_sampled_shapley_values_of_a_group_do_not_hang_on_the_others(rich, take, same):
    rollouts = rich((14, 30, 13, 2))
    options = {"credit": "shapley", "samples": 8}
    together = METHODS["logdet_marginal"](rollouts, **options)
    for group in range(4):
        rows = (rollouts.index.group == group).nonzero().flatten()
        same(METHODS["logdet_marginal"](take(rollouts, rows), **options), together, rows)


def test_the_step_and_seed_decide_the_draw_and_nothing_else(stochastic, rich, same):
    rollouts = rich()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = METHODS[stochastic](rollouts, seed=3, step=5)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    same(METHODS[stochastic](rollouts, seed=3, step=5), first, atol=0)
    for other in ({"seed": 3, "step": 6}, {"seed": 4, "step": 5}):
        assert not torch.allclose(METHODS[stochastic](rollouts, **other).rewards, first.rewards)
