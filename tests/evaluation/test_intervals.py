from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.intervals import (
    bootstrap_difference,
    bootstrap_mean,
    figure_differences,
    figure_intervals,
)


def skewed(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).beta(0.4, 0.3, count))


def scipy_interval(values: torch.Tensor, confidence: float) -> tuple[float, float]:
    interval = stats.bootstrap(
        (values.numpy(),),
        np.mean,
        confidence_level=confidence,
        n_resamples=40_000,
        method="percentile",
        rng=np.random.default_rng(1),
        batch=1_000,
    ).confidence_interval
    return float(interval.low), float(interval.high)


@pytest.mark.parametrize("count", [5, 60, 500])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_agrees_with_scipy(count, confidence):
    values = skewed(count)
    ours = bootstrap_mean(values, confidence=confidence, resamples=40_000)
    spread = values.std().item() / count**0.5
    assert ours.value == pytest.approx(values.mean().item(), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx(scipy_interval(values, confidence), abs=0.05 * spread)


def test_paired_difference_agrees_with_scipy():
    base = skewed(200, seed=2)
    trained = (base + 0.1 * skewed(200, seed=3)).clamp(max=1)
    ours = bootstrap_difference(trained, base, resamples=40_000)
    spread = (trained - base).std().item() / 200**0.5
    assert ours.value == pytest.approx((trained.mean() - base.mean()).item(), abs=1e-12)
    assert (ours.low, ours.high) == pytest.approx(scipy_interval(trained - base, 0.95), abs=0.05 * spread)
    alone = bootstrap_mean(trained)
    assert ours.high - ours.low < (alone.high - alone.low) / 2  # pairing takes the problems' own spread out


def test_covers_the_true_mean_as_often_as_it_says():
    truth = 0.4 / 0.7
    covered = [
        bounds.low <= truth <= bounds.high
        for bounds in (bootstrap_mean(skewed(60, seed=seed), confidence=0.9, resamples=300) for seed in range(300))
    ]
    assert stats.binomtest(sum(covered), len(covered), 0.9).pvalue > 1e-3


def test_the_seed_fixes_the_interval():
    values = skewed(50)
    assert bootstrap_mean(values, seed=3) == bootstrap_mean(values, seed=3)
    assert bootstrap_mean(values, seed=3) != bootstrap_mean(values, seed=4)


def test_global_generator_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    bootstrap_mean(skewed(10))
    assert torch.equal(torch.rand(3), expected)


def test_more_resamples_than_fit_one_chunk():
    values = skewed(5_000)
    interval = bootstrap_mean(values, resamples=2_000)
    half = 1.96 * values.std().item() / 5_000**0.5
    assert (interval.low, interval.high) == pytest.approx(
        (interval.value - half, interval.value + half), abs=0.15 * half
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.int64, torch.bool])
def test_any_dtype(dtype):
    values = torch.tensor([0, 1, 1, 0, 1], dtype=dtype)
    assert bootstrap_mean(values) == bootstrap_mean(values.double())
    assert bootstrap_difference(values, values) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "values, options, message",
    [
        ([], {}, "a bootstrap over problems needs (N,) values with N > 0, got shape (0,)"),
        ([[0.5]], {}, "a bootstrap over problems needs (N,) values with N > 0, got shape (1, 1)"),
        ([0.5, float("nan")], {}, "the value of problem 1 is nan; a bootstrap needs finite values"),
        ([float("inf")], {}, "the value of problem 0 is inf; a bootstrap needs finite values"),
        ([0.5], {"confidence": 95}, "confidence is 95, expected a number between 0 and 1"),
        ([0.5], {"resamples": 0}, "resamples is 0, expected 1 or more"),
    ],
)
def test_refusals(values, options, message):
    with pytest.raises(UsageError) as error:
        bootstrap_mean(torch.tensor(values), **options)
    assert str(error.value) == message


def test_refuses_unpaired_values():
    with pytest.raises(UsageError) as error:
        bootstrap_difference(torch.rand(3), torch.rand(4))
    assert str(error.value) == "a paired difference needs the same problems on both sides, got shapes (3,) and (4,)"


def test_figures_are_those_of_the_single_bootstraps():
    base = {"pass@1": skewed(40), "distinct": 3 * skewed(40, seed=1)}
    trained = {name: values.sqrt() for name, values in base.items()}
    for name in base:
        assert tuple(figure_intervals(base)[name].values()) == bootstrap_mean(base[name])
        difference = figure_differences(trained, base)[name]
        assert list(difference) == ["value", "low", "high"]
        assert tuple(difference.values()) == bootstrap_difference(trained[name], base[name])
    with pytest.raises(UsageError, match="trained has the figures pass@1 and base pass@1, distinct; both need the"):
        figure_differences({"pass@1": trained["pass@1"]}, base)
