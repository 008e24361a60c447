"""A prompt's weight times shares within the group: each combination against a loop; rewards other than 0 and 1."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from statistics import fmean, stdev

import pytest
import torch

from dra_grpo import METHODS, Rollouts, adjust_rewards, cosine_similarity
from dra_grpo.errors import UsageError

ACROSS = ["grpo", "maxrl", "pass_at_k", "pkpo", "pkpo-loo"]
SHARES = {
    "equal": {},
    "dra": {"correct_only": False},
    "clusters": {"clusters": "text", "alpha": 0.8},
    "propensity": {"tau": 0.5},
}


def maxrl(R):
    R = [r - min(0.0, *R) for r in R]
    return [(r - fmean(R)) / fmean(R) if fmean(R) else 0.0 for r in R]


def weights_across(across, R, C, rollouts, rows):
    if across == "grpo":
        return [(r - fmean(R)) / ((stdev(R) if len(R) > 1 else 0.0) + 1e-4) for r in R]
    if across == "maxrl":
        return maxrl(R) if len(R) > 1 else [0.0]
    peer = {"pkpo-loo": {"baseline": "loo-1"}}.get(across, {})
    alone = Rollouts(torch.tensor(R, dtype=torch.float64), correct=C)
    return METHODS[across.removesuffix("-loo")](alone, k=2, **peer).advantages.tolist()


def shares_within(shares, S, C, rollouts, rows):
    n = range(len(rows))
    texts = [rollouts.texts[row] for row in rows]
    w = {
        "equal": [1.0] * len(rows),
        "dra": [1 / (1 + max(0.0, sum(S[i][j] for j in n if j != i))) for i in n],
        "clusters": [max(1, sum(texts[i] == texts[j] and C[j] for j in n)) ** -0.8 for i in n],
        "propensity": [math.exp(-0.5 * logprob) for logprob in rollouts.logprobs[rows].tolist()],
    }
    return w[shares]


@pytest.mark.parametrize(("across", "shares", "focal"), list(product(ACROSS, SHARES, [0.0, 0.5])), ids=str)
def test_any_weight_of_the_prompt_goes_with_any_share(across, shares, focal, rich, without_scores):
    rollouts = without_scores(rich((8, 1, 6, 7, 3), seed=2), [2, 9])
    options = {"across": across, "shares": shares, "focal": focal, "k": 2} | SHARES[shares]
    found = METHODS["axes"](rollouts, **options)
    for group in rollouts.index.group.unique():
        rows = ((rollouts.index.group == group) & rollouts.scored).nonzero().flatten()
        R, C = rollouts.rewards[rows].tolist(), rollouts.is_correct[rows].tolist()
        A = [a * (1 - fmean(C)) ** focal for a in weights_across(across, R, C, rollouts, rows)]
        w = shares_within(shares, cosine_similarity(rollouts.embeddings[rows]).tolist(), C, rollouts, rows)
        raised = [i for i in range(len(R)) if C[i] and A[i] > 0]
        total, shared = sum(A[i] for i in raised), sum(A[i] * w[i] for i in raised)
        expected = [a * w[i] * total / shared if i in raised else a for i, a in enumerate(A)]
        assert found.advantages[rows].tolist() == pytest.approx(expected, abs=1e-9)
        kept = found.advantages[rows][raised]
        assert kept.sum().item() == pytest.approx(total, abs=1e-9)
        assert (kept >= 0).all()


@pytest.mark.parametrize("smi", ["logdet", "facility_location"])
def test_dra_s_shares_are_its_weights_whatever_the_similarity(smi, rich):
    rollouts = rich((6,))
    rollouts = replace(rollouts, rewards=rollouts.correct.double())
    options = {"smi": smi, "kernel": "rbf", "correct_only": True}
    weights = METHODS["dra"](rollouts, **options).weights[rollouts.correct]
    for method in ("maxrl-dra", "smooth"):
        found = METHODS[method](rollouts, shares="dra", **options)
        assert found.measures_smi
        shares = found.weights[rollouts.correct]
        torch.testing.assert_close(shares / shares.mean(), weights / weights.mean())


@pytest.mark.parametrize("correct_only", [True, False])
def test_wrong_copies_count_as_company_unless_the_correct_alone_are_looked_at(correct_only):
    rollouts = Rollouts([1.0, 1.0, 0.0, 0.0], [0] * 4, torch.eye(2)[[0, 1, 0, 0]], texts=list("abaa"))
    expected = [1.0, 1.0] if correct_only else [0.5, 1.5]
    for options in ({"shares": "dra"}, {"shares": "clusters", "clusters": "text"}):
        found = METHODS["maxrl"](rollouts, correct_only=correct_only, **options).advantages
        assert found.tolist() == pytest.approx([*expected, -1, -1])


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([1, -1, -1, -1], [3, -1, -1, -1]),  # as 0 and 1
        ([1, -0.99], [1, -1]),  # a mean near 0 is no small denominator
        ([-0.1] * 7, [0] * 7),
        ([0, 0, 0], [0, 0, 0]),
        ([0.7, 0.7, 0.7], [0, 0, 0]),
        ([1.2, 0.2, 0.2, 0.2], [0.75 / 0.45, -0.25 / 0.45, -0.25 / 0.45, -0.25 / 0.45]),  # a format reward beside
        ([3, 1, 0, 0], [2, 0, -1, -1]),
        ([5], [0]),
        ([-5], [0]),
    ],
    ids=str,
)
def test_maxrl_of_rewards_other_than_0_and_1(rewards, expected):
    for dtype in (torch.float32, torch.float64):
        found = adjust_rewards(torch.tensor(rewards, dtype=dtype), None, method="maxrl").advantages
        assert found.tolist() == pytest.approx(expected, abs=1e-6)


def test_maxrl_is_bounded_by_the_group_size_whatever_the_rewards():
    g = torch.Generator().manual_seed(0)
    for _ in range(300):
        n = int(torch.randint(2, 12, (), generator=g))
        rewards = torch.randn(n, generator=g, dtype=torch.float64) * 10.0 ** torch.randint(-6, 6, (n,), generator=g)
        found = adjust_rewards(rewards, None, method="maxrl").advantages
        assert found.sum().item() == pytest.approx(0, abs=1e-9)
        assert -1 - 1e-9 <= found.min() <= found.max() <= n - 1 + 1e-9


@pytest.mark.parametrize("n", [2, 3, 5])
def test_maxrl_is_the_gradient_of_the_first_terms_of_log_p(n):
    """At success rate p, E[Σ A_i ∂log π(i)/∂p] / n over every draw of n is Σ_{j<n-1} (1 − p)^j, the first of 1/p's."""
    p, total = 0.3, 0.0
    for R in product([0.0, 1.0], repeat=n):
        chance = math.prod(p if r else 1 - p for r in R)
        A = adjust_rewards(torch.tensor(R, dtype=torch.float64), None, method="maxrl").advantages.tolist()
        total += chance * sum(a * (1 / p if r else -1 / (1 - p)) for a, r in zip(A, R, strict=True)) / n
    assert total == pytest.approx(sum((1 - p) ** j for j in range(n - 1)), abs=1e-12)


def test_propensity_of_equal_rewards_undoes_what_sampling_prefers():
    """Two correct answers drawn in proportion to π get the same advantage in expectation at τ = 1."""
    likely, rare = math.log(0.8), math.log(0.2)
    one = adjust_rewards([1.0, 1.0, 0.0], None, method="propensity", logprobs=[likely, rare, -1.0]).advantages
    assert (0.8 * one[0]).item() == pytest.approx((0.2 * one[1]).item())


def test_long_completions_leave_one_row_everything_without_a_cap_or_a_mean():
    logprobs, lengths = [-900.0, -1500.0, -2100.0, -10.0], [3000, 3000, 3500, 5]
    options = {"method": "propensity", "logprobs": logprobs, "lengths": lengths}
    rewards = [1.0, 1.0, 1.0, 0.0]
    alone = adjust_rewards(rewards, None, **options).advantages
    assert alone.tolist() == pytest.approx([0, 0, 1, -1])
    capped = adjust_rewards(rewards, None, cap=0.5, **options).advantages
    assert capped.tolist() == pytest.approx([0.25, 0.25, 0.5, -1])
    assert adjust_rewards(rewards, None, cap=0.1, **options).advantages.tolist() == pytest.approx([1 / 3] * 3 + [-1])
    mean = adjust_rewards(rewards, None, per_token=True, **options).advantages
    shares = torch.tensor([0.3, 0.5, 0.6]).softmax(0).tolist()
    assert mean.tolist() == pytest.approx([*shares, -1], abs=1e-6)
    empty = adjust_rewards(
        [1.0, 1.0, 0.0], None, method="propensity", logprobs=[0, -3, -1], lengths=[0, 3, 1], per_token=True
    )
    assert empty.weights[:2].tolist() == pytest.approx((2 * torch.tensor([0.0, 1.0]).softmax(0)).tolist())
    with pytest.raises(UsageError, match="method 'propensity' needs lengths"):
        METHODS["propensity"].check(["logprobs"], per_token=True)


def test_temperature_of_the_shares(rich):
    rollouts = rich()
    assert torch.equal(
        METHODS["propensity"](rollouts, tau=0.0).advantages.round(decimals=9),
        METHODS["maxrl"](rollouts).advantages.round(decimals=9),
    )


@pytest.mark.parametrize("name", ["propensity", "smooth"])
@pytest.mark.parametrize("lost", [math.nan, -math.inf])
def test_a_row_without_a_log_probability_keeps_its_advantage_and_has_no_say(name, lost):
    rewards, logprobs = [1.0, 1.0, 1.0, 0.0], [-1.0, lost, -2.0, lost]
    across = {"propensity": "maxrl", "smooth": "axes"}[name]
    before = adjust_rewards(rewards, None, method=across).advantages
    with pytest.warns(UserWarning, match="2 completions have no log-probability") as caught:
        found = adjust_rewards(rewards, None, method=name, logprobs=logprobs).advantages
    assert len(caught) == 1
    assert found[[1, 3]].tolist() == before[[1, 3]].tolist()
    assert found.sum().item() == pytest.approx(before.sum().item(), abs=1e-6)
    assert found[0] < before[0] < found[2]


@pytest.mark.parametrize("gamma", [0.0, 0.3])
@pytest.mark.parametrize("shares", ["equal", "propensity"])
def test_smooth(gamma, shares, rich):
    rollouts = rich((8, 1, 6), seed=1)
    options = {"across": "maxrl", "shares": shares, "per_token": True}
    found = METHODS["smooth"](rollouts, gamma=gamma, **options).advantages
    shared = METHODS["axes"](rollouts, **options).advantages
    for group in rollouts.groups.unique():
        rows = (rollouts.groups == group).nonzero().flatten()
        C, base = rollouts.is_correct[rows].tolist(), shared[rows].tolist()
        logprobs = (rollouts.logprobs / rollouts.lengths)[rows].tolist()
        mean = fmean([v for v, c in zip(logprobs, C, strict=True) if c] or [0.0])
        expected = [a - gamma * (v - mean) if c else a for a, v, c in zip(base, logprobs, C, strict=True)]
        assert found[rows].tolist() == pytest.approx(expected, abs=1e-9)


def test_smooth_alone_has_a_gradient_where_all_are_correct(rich):
    rollouts = replace(rich((6,)), rewards=torch.ones(6), correct=torch.ones(6, dtype=torch.bool))
    wrong = replace(rollouts, rewards=torch.zeros(6), correct=torch.zeros(6, dtype=torch.bool))
    for name in ("axes", "maxrl", "maxrl-dra", "propensity", "focal", "smooth"):
        assert METHODS[name](rollouts).advantages.any() == (name == "smooth")
        assert not METHODS[name](wrong).advantages.any()


def test_focal_of_any_base():
    rewards = [1.0, 1.0, 1.0, 0.0]
    for across in ACROSS:
        plain = adjust_rewards(rewards, None, method="axes", across=across, k=2).advantages
        found = adjust_rewards(rewards, None, method="focal", across=across, k=2, focal=2.0).advantages
        assert found.tolist() == pytest.approx((plain / 16).tolist())
