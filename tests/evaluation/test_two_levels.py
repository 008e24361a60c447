from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.two_levels import (
    Arm,
    accuracy_interval,
    constant_interval,
    percentile_interval,
    share_interval,
    spread,
    two_level_means,
    values,
)


def arm(correct, samples, sign=1) -> Arm:
    correct = torch.as_tensor(correct)
    return Arm(correct, torch.full_like(correct, samples, dtype=torch.int64), sign)


def model(rates: np.ndarray, samples: int, draws: np.random.Generator, sign: int = 1) -> Arm:
    return arm(torch.from_numpy(draws.binomial(samples, rates)), samples, sign)


def test_spread_by_hand():
    first, second = arm([4, 2, 0], 4), arm([2, 2, 1], 4, sign=-1)
    assert values([first, second]).tolist() == [0.5, 0.0, -0.25]
    found = spread([first, second])
    assert found.total == pytest.approx(np.var([0.5, 0.0, -0.25], ddof=1))
    # p(1 - p) / (n - 1) of both models, averaged over problems
    assert found.within == pytest.approx(np.mean([0.25 / 3, 0.25 / 3 + 0.25 / 3, 0.1875 / 3]))
    assert found.one_sample == pytest.approx(4 * found.within)
    assert found.between == pytest.approx(found.total - found.within)
    assert found.stderr == pytest.approx((found.total / 3) ** 0.5)


def test_one_sample_does_not_tell_the_noise_of_sampling():
    found = spread([arm([1, 0, 1, 1], 1)])
    assert (found.within, found.stderr_samples) == (None, None)
    assert found.stderr == pytest.approx(np.std([1, 0, 1, 1], ddof=1) / 2)


def test_within_is_unbiased_and_total_splits():
    draws = np.random.default_rng(0)
    rates = np.array([0.1, 0.5, 0.9, 0.3])
    found = [spread([model(rates, 4, draws)]) for _ in range(4000)]
    assert np.mean([one.within for one in found]) == pytest.approx(np.mean(rates * (1 - rates) / 4), rel=0.03)
    true = np.var(rates, ddof=1) + np.mean(rates * (1 - rates) / 4)
    assert np.mean([one.total for one in found]) == pytest.approx(true, rel=0.03)


@pytest.mark.parametrize("alike", [True, False], ids=["alike", "apart"])
def test_resampled_variance_is_the_observed_one_not_twice_the_sampling(alike):
    draws = np.random.default_rng(1)
    rates = draws.beta(0.7, 0.9, 300)
    other = rates if alike else np.clip(rates + draws.normal(0, 0.2, 300), 0, 1)
    arms = [model(rates, 4, draws), model(other, 4, draws, sign=-1)]
    found = spread(arms)
    variance = two_level_means(arms, resamples=4000).var().item()
    # Of models alike, σ_W² is nearly all there is, and its estimate may exceed the total by chance.
    assert variance == pytest.approx(max(found.total, found.within) / 300, rel=0.1)
    assert (found.total + found.within) / 300 > 1.2 * variance


CASES = {
    "AIME, 16 samples": (30, 16, 16, 0.5, 1.2),
    "AMC, 4 and 8 samples": (40, 4, 8, 0.7, 0.7),
    "30 problems, one sample": (30, 1, 1, 1.5, 1.0),
}


@pytest.mark.parametrize("problems, first, second, a, b", CASES.values(), ids=CASES)
def test_intervals_cover_the_truth_as_often_as_they_say(problems, first, second, a, b):
    draws = np.random.default_rng(2)
    runs = 300
    single = difference = 0
    for run in range(runs):
        rates = draws.beta(a, b, problems)
        one, two = model(rates, first, draws), model(rates, second, draws, sign=-1)
        low, high = percentile_interval(0, two_level_means([one], resamples=600, seed=run))[1:]
        single += low <= a / (a + b) <= high
        low, high = percentile_interval(0, two_level_means([one, two], resamples=600, seed=run))[1:]
        difference += low <= 0 <= high
    # 0.95 ± 3 standard errors of 300 runs, and what percentiles lose at 30 problems
    assert 0.90 <= single / runs <= 0.99
    assert 0.90 <= difference / runs <= 0.99


def test_error_for_the_same_problems_covers_too():
    draws = np.random.default_rng(3)
    rates = draws.beta(0.5, 1.0, 60)
    covered = 0
    for _ in range(500):
        one = model(rates, 8, draws)
        covered += abs(values([one]).mean().item() - rates.mean()) <= 1.96 * spread([one]).stderr_samples
    assert 0.92 <= covered / 500 <= 0.98


@pytest.mark.parametrize("right, problems", [(0, 30), (30, 30), (0, 1), (0, 500)])
def test_nothing_or_everything_right_is_clopper_and_pearson(right, problems):
    found = accuracy_interval([arm([right and 4] * problems, 4)])
    count = problems if right else 0
    exact = stats.binomtest(count, problems).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    shares = share_interval(torch.full((problems,), float(bool(right))))
    assert (shares.low, shares.high) == pytest.approx((exact.low, exact.high))


def test_two_models_that_fail_everywhere_are_not_known_to_be_equal():
    found = accuracy_interval([arm([0] * 30, 4), arm([0] * 30, 4, sign=-1)])
    assert found.value == 0
    assert found.high == pytest.approx(-found.low)
    assert found.high == pytest.approx(constant_interval(0.0, 30).high)


def test_same_rate_everywhere_still_has_the_noise_of_sampling():
    found = accuracy_interval([arm([2] * 50, 4)])
    assert found.low < 0.5 < found.high


@pytest.mark.parametrize("right", [1, 119])
def test_an_accuracy_is_never_below_0_or_above_1(right):
    correct = torch.full((30,), 4.0 * (right == 119))
    correct[0] += 1 if right == 1 else -1
    interval = accuracy_interval([Arm(correct, torch.full((30,), 4))])
    assert interval.value == pytest.approx(right / 120)
    assert 0 <= interval.low < interval.value < interval.high <= 1
    noisy = percentile_interval(interval.value, two_level_means([Arm(correct, torch.full((30,), 4))]))
    assert noisy.low < 0 or noisy.high > 1  # so that there was something to hold back


def test_one_problem():
    found = accuracy_interval([arm([3], 4)])
    assert found.low < 0.75 < found.high


def test_seeded():
    arms = [arm([1, 2, 3], 4)]
    assert torch.equal(two_level_means(arms, 50, seed=1), two_level_means(arms, 50, seed=1))
    assert not torch.equal(two_level_means(arms, 50, seed=1), two_level_means(arms, 50, seed=2))


def test_confidence_out_of_range():
    with pytest.raises(UsageError, match=r"confidence is 1\.5, expected a number between 0 and 1"):
        percentile_interval(0.0, torch.zeros(3), 1.5)
