from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.detection import detection
from dra_grpo.evaluation.two_levels import Spread

SPREAD = Spread(total=0.01, within=0.006, one_sample=0.096, problems=200)


def power(size: float, variance: float) -> float:
    """Of a two-sided test at 5% when the mean difference has this variance."""
    return stats.norm.sf(stats.norm.isf(0.025) - size / variance**0.5)


@pytest.mark.parametrize("size", [0.005, 0.01, 0.03, 0.1])
def test_the_fewest_samples_that_reach_80_percent(size):
    found = detection(size, SPREAD)
    for samples, between in ((found.samples_fixed, 0.0), (found.samples_other, SPREAD.between)):
        if samples is None:
            assert power(size, SPREAD.between / 200) < 0.8
            continue
        assert power(size, (between + 0.096 / samples) / 200) >= 0.8
        assert samples == 1 or power(size, (between + 0.096 / (samples - 1)) / 200) < 0.8
    assert power(size, SPREAD.total / found.problems) >= 0.8
    assert found.problems == 1 or power(size, SPREAD.total / (found.problems - 1)) < 0.8


def test_simulated_power_is_the_promised_one():
    """The z-test on these very problems, with as many samples as advised, finds the difference 4 times in 5."""
    draws = np.random.default_rng(0)
    rates = draws.uniform(0.2, 0.8, 80)
    size = 0.05
    one_sample = np.mean(rates * (1 - rates) + (rates + size) * (1 - rates - size))
    advised = detection(size, Spread(one_sample, one_sample, one_sample, 80)).samples_fixed
    found = 0
    for _ in range(2000):
        first, second = draws.binomial(advised, rates), draws.binomial(advised, rates + size)
        error = (one_sample / advised / 80) ** 0.5
        found += abs((second - first).mean() / advised) > 1.96 * error
    assert found / 2000 == pytest.approx(0.8, abs=0.04)


def test_more_than_problems_can_show():
    assert detection(0.001, SPREAD).samples_other is None


@pytest.mark.parametrize("size", [0.0, -0.1, 1.5])
def test_size_out_of_range(size):
    with pytest.raises(UsageError, match="expected more than 0 and at most 100"):
        detection(size, SPREAD)


def test_one_sample_a_problem():
    with pytest.raises(UsageError, match="--samples 2 or more"):
        detection(0.01, Spread(0.1, None, None, 30))
