"""Controls move what they should and nothing else."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import METHODS, Rollouts
from dra_grpo.core.redundancy import similarity_spread


def rows_of(rollouts):
    return [(rollouts.groups == group).nonzero().flatten() for group in rollouts.groups.unique()]


def sorted_values(values):
    return torch.sort(values).values


def test_permuted_gives_each_group_its_own_weights_in_another_order(rich, without_scores):
    rollouts = without_scores(rich((7, 5, 1)), [2])
    dra, permuted = METHODS["dra"](rollouts), METHODS["permuted"](rollouts)
    for rows in rows_of(rollouts):
        torch.testing.assert_close(
            sorted_values(permuted.weights[rows]), sorted_values(dra.weights[rows]), equal_nan=True
        )
    torch.testing.assert_close(permuted.weights, 1 / (1 + permuted.smi), equal_nan=True)


def test_permuted_correct_leaves_the_wrong_ones_and_the_mean_reward(rich):
    rollouts = rich((8, 7, 6))
    object.__setattr__(rollouts, "rewards", rollouts.correct.double())
    dra = METHODS["dra"](rollouts)
    moved = False
    for step in range(5):
        permuted = METHODS["permuted-correct"](rollouts, step=step)
        assert torch.equal(permuted.weights[~rollouts.correct], dra.weights[~rollouts.correct])
        for rows in rows_of(rollouts):
            right = rows[rollouts.correct[rows]]
            torch.testing.assert_close(sorted_values(permuted.weights[right]), sorted_values(dra.weights[right]))
            torch.testing.assert_close(permuted.rewards[rows].mean(), dra.rewards[rows].mean())
        moved |= not torch.equal(permuted.weights, dra.weights)
    assert moved


@pytest.mark.parametrize("name", ["permuted", "permuted-correct"])
def test_every_row_is_given_every_weight_equally_often(name):
    angle = torch.tensor([0.0, 0.1, 0.3, 0.9])
    rollouts = Rollouts(torch.ones(4), torch.zeros(4).long(), torch.stack([angle.cos(), angle.sin()], 1))
    weights = sorted_values(METHODS["dra"](rollouts).weights)
    drawn = torch.stack([METHODS[name](rollouts, step=step).weights for step in range(200)])
    for weight in weights:
        share = torch.isclose(drawn, weight).double().mean(0)
        assert (share - 0.25).abs().max() < 4 * (0.25 * 0.75 / 200) ** 0.5


def test_permuted_takes_dras_options_and_keeps_its_rules(rich):
    rollouts = rich((8, 7))
    options = {"smi": "logdet", "kernel": "rbf", "correct_only": True}
    dra, permuted = METHODS["dra"](rollouts, **options), METHODS["permuted"](rollouts, **options)
    for rows in rows_of(rollouts):
        torch.testing.assert_close(sorted_values(permuted.smi[rows]), sorted_values(dra.smi[rows]))
    normalised = METHODS["permuted"](rollouts, normalize="mean")
    for rows in rows_of(rollouts):
        right = rows[rollouts.correct[rows]]
        torch.testing.assert_close(normalised.weights[right].mean(), torch.tensor(1.0, dtype=torch.float64))
    mirrored = METHODS["permuted"](rollouts, negative="mirror")
    assert (mirrored.weights[rollouts.rewards < 0] >= 1).all()
    assert (mirrored.weights[rollouts.rewards > 0] <= 1).all()


@pytest.mark.parametrize(
    "options", [{}, {"smi": "facility_location"}, {"normalize": "mean"}, {"correct_only": True}], ids=str
)
@pytest.mark.parametrize("name", ["random", "length"])
def test_the_mean_weight_of_the_correct_is_dras(name, options, rich, without_scores):
    rollouts = without_scores(rich((7, 5, 4, 3)), [0, 9, 17])
    rollouts.correct[-3:] = False
    dra, control = METHODS["dra"](rollouts, **options), METHODS[name](rollouts, **options)
    for rows in rows_of(rollouts):
        counted = rows[rollouts.is_correct[rows]]
        counted = counted if len(counted) else rows[rollouts.scored[rows]]
        torch.testing.assert_close(control.weights[counted].mean(), dra.weights[counted].mean())
    assert not torch.allclose(control.weights.nan_to_num(), dra.weights.nan_to_num())
    loose = METHODS[name](rollouts, match=False, **options)
    torch.testing.assert_close(loose.smi, control.smi, equal_nan=True)


@pytest.mark.parametrize("name", ["random", "length"])
def test_what_dra_keeps_a_matched_control_keeps(name):
    close = torch.linalg.cholesky(torch.full((4, 4), 0.9) + 0.1 * torch.eye(4))
    rewards, correct = torch.tensor([1.0, 1.0, -0.5, 0.2]), torch.tensor([True, True, False, False])
    texts = ["a", "bb", "ccc", "dddd"]
    rollouts = Rollouts(rewards, torch.zeros(4).long(), close, correct, texts=texts)
    kept = METHODS[name](rollouts, negative="keep", wrong="keep")
    assert torch.equal(kept.rewards[2:], rewards[2:])
    mirrored = METHODS[name](rollouts, negative="mirror").weights
    plain = METHODS[name](rollouts).weights
    torch.testing.assert_close(mirrored[2], 2 - plain[2].clamp(max=1))
    torch.testing.assert_close(plain[:2].mean(), METHODS["dra"](rollouts).weights[:2].mean())
    torch.testing.assert_close(kept.weights[:2].mean(), plain[:2].mean())
    lifted = METHODS[name](Rollouts(rewards.clamp(min=0.6), [0] * 4, close, correct, texts=texts), wrong="keep")
    torch.testing.assert_close(lifted.rewards, torch.full((4,), 0.6))


def test_random_embeddings_know_nothing_of_the_text(rich):
    rollouts, other = rich((6, 6)), rich((6, 6), seed=9)
    object.__setattr__(other, "rewards", rollouts.rewards)
    found = METHODS["random"](rollouts, match=False).smi
    torch.testing.assert_close(found, METHODS["random"](other, match=False).smi)
    cosines = torch.stack([METHODS["random"](rollouts, match=False, clamp=False, step=s).smi for s in range(200)])
    assert cosines.mean().abs() < 0.02
    assert cosines.std().item() == pytest.approx((5 / 384) ** 0.5, rel=0.1)


def test_the_gate_of_a_control_is_dras(rich):
    rollouts = rich((5, 5), seed=2)
    object.__setattr__(rollouts, "correct", torch.ones(10, dtype=torch.bool))
    narrow, wide = sorted(similarity_spread(rollouts).tolist())
    options = {"min_spread": (narrow + wide) / 2}
    closed = METHODS["dra"](rollouts, **options).weights == 1
    assert closed.sum() == 5
    for name in ("permuted", "permuted-correct", "random"):
        assert torch.equal(METHODS[name](rollouts, **options).weights == 1, closed)


def test_length_is_the_ratio_of_the_lengths(rich):
    texts = ["a" * 9, "b" * 9, "c" * 19, ""]
    rollouts = Rollouts(torch.ones(4), torch.zeros(4).long(), texts=texts)
    found = METHODS["length"](rollouts, match=False).smi
    torch.testing.assert_close(found, torch.tensor([1 + 0.5 + 0.1, 1 + 0.5 + 0.1, 0.5 + 0.5 + 0.05, 0.1 + 0.1 + 0.05]))
    some = Rollouts(rollouts.rewards, [0] * 4, correct=[True, False, False, False], texts=texts)
    found = METHODS["length"](some, match=False, correct_only=True).smi
    torch.testing.assert_close(found, torch.tensor([0.0, 1.0, 0.5, 0.1]))
    for smi in ("logdet", "facility_location"):
        assert METHODS["length"](rollouts, match=False, smi=smi).smi.isfinite().all()
