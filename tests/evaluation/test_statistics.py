from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.statistics import (
    SHARE,
    Estimate,
    Spread,
    average,
    detection,
    estimate,
    holm,
    majority,
    pass_at_k,
    sign_flip_p,
    spread,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# Intervals


@pytest.mark.parametrize("count", [2, 60, 500])
def test_an_estimate_by_hand(count):
    values = rng().beta(0.4, 0.3, count)
    found = estimate(torch.from_numpy(values))
    half = stats.t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5
    assert (found.value, found.low, found.high) == pytest.approx(
        (values.mean(), values.mean() - half, values.mean() + half)
    )
    assert found.stderr == pytest.approx(stats.sem(values))


def clustered(draws: np.random.Generator, clusters: int) -> tuple[np.ndarray, list[str]]:
    """Values that have half their variance in common within clusters of 1 to 5, in mixed order."""
    labels = draws.permutation(np.repeat(np.arange(clusters), draws.integers(1, 6, clusters)))
    return 0.4 + draws.normal(0, 0.1, clusters)[labels] + draws.normal(0, 0.1, len(labels)), list(map(str, labels))


def test_clusters_by_a_plain_loop():
    values, labels = clustered(rng(1), 40)
    found, mean, total = estimate(values, clusters=labels), sum(values) / len(values), 0.0
    for label in set(labels):
        total += sum(x - mean for x, own in zip(values, labels, strict=True) if own == label) ** 2
    error = (40 / 39 * total) ** 0.5 / len(values)
    half = stats.t.ppf(0.975, 39) * error
    assert (found.value, found.stderr) == pytest.approx((mean, error))
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))
    assert found.stderr > 1.2 * estimate(values).stderr


def test_clusters_against_a_bootstrap_over_them():
    draws = rng(2)
    values, labels = clustered(draws, 150)
    groups = [values[[own == label for own in labels]] for label in sorted(set(labels))]
    means = [np.concatenate([groups[i] for i in draws.integers(0, 150, 150)]).mean() for _ in range(2000)]
    found = estimate(values, clusters=labels)
    assert found.stderr == pytest.approx(np.std(means), rel=0.08)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.004)


def test_a_problem_a_cluster_is_no_clustering():
    values = rng(3).random(30)
    assert estimate(values, SHARE, range(30)) == pytest.approx(estimate(values, SHARE))


@pytest.mark.parametrize("values", [[0.0, 1.0] * 15, [0.25] * 30])
def test_clusters_that_are_all_alike_are_so_many_problems(values):
    labels = [i // 2 for i in range(30)]
    alone = estimate([values[0] / 2 + values[1] / 2] * 15, SHARE)
    assert estimate(values, SHARE, labels) == alone
    assert estimate(values[:4], SHARE, ["one"] * 4) == estimate([alone.value], SHARE)


def test_a_cluster_label_a_value():
    with pytest.raises(UsageError, match="an estimate of 3 values got 2 cluster labels; expected one a value"):
        estimate([0.1, 0.2, 0.3], clusters=[1, 2])


CASES = {
    "AIME, 16 and 16 samples": (30, 16, 16, 0.5, 1.2),
    "AMC, 4 and 8 samples": (40, 4, 8, 0.7, 0.7),
    "30 problems, one sample": (30, 1, 1, 1.5, 1.0),
    "MATH-500, 4 samples": (500, 4, 4, 0.7, 0.5),
}


@pytest.mark.parametrize("problems, first, second, a, b", CASES.values(), ids=CASES)
def test_intervals_cover_the_truth_as_often_as_they_say(problems, first, second, a, b):
    draws = rng(2)
    runs = 400
    single = paired = 0
    for _ in range(runs):
        rates = draws.beta(a, b, problems)
        one, two = draws.binomial(first, rates) / first, draws.binomial(second, rates) / second
        found, difference = estimate(one, SHARE), estimate(two - one, (-1.0, 1.0))
        single += found.low <= a / (a + b) <= found.high
        paired += difference.low <= 0 <= difference.high
    # 0.95 and 3 standard errors of 400 runs, and a point for what is no normal number at 30 problems
    assert 0.91 <= single / runs <= 0.985
    assert 0.91 <= paired / runs <= 0.985


@pytest.mark.parametrize("right, problems", [(0, 30), (30, 30), (0, 1), (1, 1), (0, 500)])
def test_nothing_or_everything_right_is_clopper_and_pearson(right, problems):
    found = estimate([float(bool(right))] * problems, SHARE)
    exact = stats.binomtest(right, problems).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_problems_that_are_all_alike():
    alike = estimate([0.5] * 30, SHARE)
    assert alike.low < 0.5 < alike.high < 0.6
    equal = estimate([0.0] * 30, (-1.0, 1.0))  # two models that fail everywhere are not known to be equal
    assert equal.high == -equal.low == pytest.approx(estimate([0.0] * 30, SHARE).high)
    assert estimate([3.0] * 4) == Estimate(3.0, 3.0, 3.0, 0.0)


@pytest.mark.parametrize("values", [[0.01] + [0.0] * 29, [0.99] + [1.0] * 29])
def test_a_share_is_never_below_0_or_above_1(values):
    found, free = estimate(values, SHARE), estimate(values)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert free.low < 0 or free.high > 1  # so that there was something to hold back


@pytest.mark.parametrize("values", [[], [[0.5]], [0.5, float("nan")], [float("inf")]])
def test_what_no_estimate_can_be_made_of(values):
    with pytest.raises(UsageError, match=r"an estimate needs \(M,\) finite values with M > 0, got shape"):
        estimate(values)


def test_an_average_has_the_variance_of_its_parts():
    draws = rng(4)
    parts = [draws.normal(mean, 0.2, (1000, count)) for mean, count in ((0.3, 30), (0.6, 200))]
    found = [average([estimate(one[run]) for one in parts]) for run in range(1000)]
    assert np.std([one.value for one in found]) == pytest.approx(np.mean([one.stderr for one in found]), rel=0.1)
    assert 0.93 <= np.mean([one.low <= 0.45 <= one.high for one in found]) <= 0.975


# pass@k and maj@k


@given(n=st.integers(1, 8), data=st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    subsets = list(combinations([1] * c + [0] * (n - c), k))
    assert pass_at_k(c, n, k) == pytest.approx(sum(map(any, subsets)) / len(subsets), abs=1e-12)


def test_pass_at_k_of_many_samples_neither_overflows_nor_vanishes():
    assert [pass_at_k(c, 4096, 2048) for c in (1, 4095, 0)] == [0.5, 1.0, 0.0]
    assert pass_at_k(1, 4096, 1) == pytest.approx(1 / 4096)


def over_all_subsets(votes, worth, blank, k) -> float:
    """Every subset of k samples, each voted on by itself."""
    samples = [answer for answer, count in enumerate(votes) for _ in range(count)] + [None] * blank
    values = []
    for subset in combinations(samples, k):
        counts = Counter(answer for answer in subset if answer is not None)
        winners = [answer for answer, count in counts.items() if count == max(counts.values())]
        values.append(sum(worth[answer] for answer in winners) / len(winners) if winners else 0.0)
    return sum(values) / len(values)


@given(
    votes=st.lists(st.integers(1, 4), max_size=4).filter(lambda votes: sum(votes) <= 9),
    blank=st.integers(0, 3),
    right=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_majority_is_about_voting_on_every_subset(votes, blank, right, data):
    total = sum(votes) + blank
    k = data.draw(st.integers(1, max(1, total)))
    if not total:
        return
    worth = [float(answer == right) for answer in range(len(votes))]
    expected = over_all_subsets(votes, worth, blank, k)
    found = majority(votes, worth, blank, k, rng())
    assert found == pytest.approx(expected, abs=1e-12 if k == total else 5 * 0.5 / 1000**0.5)


# Spread and detection


def test_spread_by_hand():
    first, second = ([4, 2, 0], [4, 4, 4]), ([2, 2, 1], [4, 4, 4])
    found = spread(first, second)
    assert found.total == pytest.approx(np.var([0.5, 0.0, -0.25], ddof=1))
    # p(1 - p) / (n - 1) of both models, averaged over problems
    assert found.within == pytest.approx(np.mean([0.25 / 3, 0.25 / 3 + 0.25 / 3, 0.1875 / 3]))
    assert found.one_sample == pytest.approx(4 * found.within)
    assert spread(([1, 0, 1, 1], [1, 1, 1, 1])) is None


SPREAD = Spread(problems=200, total=0.01, within=0.006, one_sample=0.096)


def power(size: float, variance: float) -> float:
    """Of a two-sided test at 5% when the mean difference has this variance."""
    return stats.norm.sf(stats.norm.isf(0.025) - size / variance**0.5)


@pytest.mark.parametrize("size", [0.001, 0.005, 0.01, 0.03, 0.1])
def test_the_fewest_samples_that_reach_80_percent(size):
    found = detection(size, SPREAD)
    for samples, between in ((found.samples_fixed, 0.0), (found.samples_other, SPREAD.total - SPREAD.within)):
        if samples is None:
            assert power(size, between / 200) < 0.8
            continue
        assert power(size, (between + 0.096 / samples) / 200) >= 0.8
        assert samples == 1 or power(size, (between + 0.096 / (samples - 1)) / 200) < 0.8
    assert power(size, SPREAD.total / found.problems) >= 0.8
    assert found.problems == 1 or power(size, SPREAD.total / (found.problems - 1)) < 0.8
    assert (found.samples_other is None) == (size < 0.012)


@pytest.mark.parametrize(
    "size, noise, said",
    [(0.0, SPREAD, "more than 0 and at most 100"), (1.5, SPREAD, "at most 100"), (0.01, None, "--samples 2 or more")],
)
def test_what_cannot_be_detected(size, noise, said):
    with pytest.raises(UsageError, match=said):
        detection(size, noise)


# Tests of a difference


@pytest.mark.parametrize(
    "differences",
    [[0.5, 0.25, 0.25], [0.1, -0.1], [1.0], [1.0] * 6, [0.3, -0.2, 0.7, 0.0, 0.1, -0.05, 0.0, 0.2], [0.0] * 5],
)
def test_sign_flips_agree_with_every_pattern_of_signs(differences):
    sums = [
        abs(sum(sign * one for sign, one in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    expected = np.mean([one >= abs(sum(differences)) - 1e-9 for one in sums])
    assert sign_flip_p(differences) == pytest.approx(expected)


def test_sign_flips_where_patterns_are_drawn():
    differences = rng().normal(0.15, 0.5, 40)
    signs = rng(1).choice([-1.0, 1.0], (50_000, 40))
    expected = np.mean(np.abs(signs @ differences) >= abs(differences.sum()))
    assert sign_flip_p(differences) == pytest.approx(expected, abs=0.012) == sign_flip_p(differences)
    assert 0 < sign_flip_p(np.ones(200)) <= 2e-4


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_properties(p_values):
    adjusted = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(adjusted)[order]) >= 0)
    if p_values:
        assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))
