"""Each method against its definition, one row and one subset at a time in plain Python."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations, permutations
from statistics import fmean, pstdev, stdev

import numpy as np
import pytest
import torch

from dra_grpo import METHODS, Rollouts, cosine_similarity, grpo_advantages


def groups_of(rollouts):
    """Rows, rewards, correctness and cosines of each group."""
    for group in rollouts.groups.unique():
        rows = (rollouts.groups == group).nonzero().flatten()
        S = cosine_similarity(rollouts.embeddings[rows]).tolist()
        yield rows.tolist(), rollouts.rewards[rows].tolist(), rollouts.is_correct[rows].tolist(), S


def assert_group_by_group(found, rollouts, definition):
    for rows, R, C, S in groups_of(rollouts):
        expected = torch.tensor(definition(R, C, S, rows), dtype=torch.float64)
        torch.testing.assert_close(found[rows], expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lam", [None, 0.0, 0.4, 1.0])
def test_mmr(lam, seed, rich):
    def greedy(R, C, S, rows):
        weight = 1 / (1 + math.exp(-pstdev(R))) if lam is None else lam
        central = [sum(row) for row in S]
        picked, adjusted = [], {}
        while len(picked) < len(R):
            scores = {
                i: weight * R[i] - (1 - weight) * max(S[i][j] for j in picked) if picked else R[i]
                for i in range(len(R))
                if i not in picked
            }
            tied = [i for i, score in scores.items() if score == max(scores.values())]
            best = max(tied, key=central.__getitem__)
            adjusted[best] = scores[best]
            picked.append(best)
        return [adjusted[i] for i in range(len(R))]

    rollouts = rich(seed=seed)
    assert_group_by_group(METHODS["mmr"](rollouts, lam=lam).rewards, rollouts, greedy)


@pytest.mark.parametrize("seed", range(4))
def test_evol(seed, rich):
    rollouts = rich((6, 1, 4, 5, 2), seed=seed)

    def evol(R, C, S, rows):
        if len(R) == 1:
            return R
        valid = [i for i, row in enumerate(rows) if rollouts.answers[row] is not None]
        novelty = {}
        for i in valid:
            alike = [max(0, S[i][j]) for j in valid if j != i and C[j] == C[i]]
            everyone = [max(0, S[i][j]) for j in valid if j != i]
            novelty[i] = 1 - fmean(alike or [0]) / 2 - max(everyone, default=0) / 2
        rewards = [-1.0] * len(R)
        for i in valid:
            peers = [novelty[j] for j in valid if C[j] == C[i]]
            u = (novelty[i] - min(peers)) / (max(peers) - min(peers)) if max(peers) - min(peers) > 1e-6 else 0.5
            rewards[i] = 0.5 + u / 2 if C[i] else -1 + u / 2
        return rewards

    assert_group_by_group(METHODS["evol"](rollouts).rewards, rollouts, evol)


def test_evol_ignores_answers_that_were_not_given(rich):
    rollouts = rich()
    object.__setattr__(rollouts, "answers", None)
    rewards, several = METHODS["evol"](rollouts).rewards, rollouts.groups != 1
    assert ((rewards >= 0.5) & (rewards <= 1))[several & rollouts.correct].all()
    assert ((rewards >= -1) & (rewards <= -0.5))[several & ~rollouts.correct].all()


def log_volume(R, S, rows):
    root = np.sqrt(np.clip(R, 0, None))
    K = root[:, None] * np.array(S) * root
    return np.linalg.slogdet(np.eye(len(rows)) + K[np.ix_(rows, rows)])[1] if rows else 0.0


def test_leave_one_out_volume(rich):
    def without_each(R, C, S, rows):
        everyone = list(range(len(R)))
        credit = [log_volume(R, S, everyone) - log_volume(R, S, [j for j in everyone if j != i]) for i in everyone]
        return [c + min(r, 0) for c, r in zip(credit, R, strict=True)] if len(R) > 1 else R

    rollouts = rich()
    assert_group_by_group(METHODS["logdet_marginal"](rollouts).rewards, rollouts, without_each)


def test_shapley_volume_over_every_order_of_joining(rich):
    def average_marginal(R, C, S, rows):
        if len(R) == 1:
            return R
        credit = [min(r, 0.0) for r in R]
        for order in permutations(range(len(R))):
            for place, i in enumerate(order):
                joined = log_volume(R, S, list(order[: place + 1])) - log_volume(R, S, list(order[:place]))
                credit[i] += joined / math.factorial(len(R))
        return credit

    rollouts = rich((5, 1, 4))
    found = METHODS["logdet_marginal"](rollouts, credit="shapley").rewards
    assert_group_by_group(found, rollouts, average_marginal)


def test_sampled_shapley_values_converge_and_sum_to_the_volume(rich):
    from dra_grpo.methods.logdet_marginal import sampled_shapley, shapley

    x = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = torch.eye(7, dtype=torch.float64) + x @ x.mT
    exact = shapley(matrix)
    sampled = sampled_shapley(matrix, 4000, torch.Generator().manual_seed(0))
    torch.testing.assert_close(sampled, exact, atol=0.05, rtol=0)
    torch.testing.assert_close(sampled.sum(1), torch.logdet(matrix))
    torch.testing.assert_close(exact.sum(1), torch.logdet(matrix))

    large = rich((14, 3))
    first = METHODS["logdet_marginal"](large, credit="shapley", samples=8).rewards
    again = METHODS["logdet_marginal"](large, credit="shapley", samples=8).rewards
    later = METHODS["logdet_marginal"](large, credit="shapley", samples=8, step=1).rewards
    assert torch.equal(first, again)
    assert not torch.allclose(first, later)


@pytest.mark.parametrize("summed", [False, True])
def test_unlikeliness(summed, rich):
    rollouts = rich()
    means = (rollouts.logprobs * 2).round() / 2  # with ties
    lengths = 2**rollouts.lengths
    rollouts = replace(rollouts, logprobs=means * lengths if summed else means, lengths=lengths if summed else None)

    def ranked(R, C, S, rows):
        logprobs = means[rows].tolist()
        order = [sum(b < a for b in logprobs) + (logprobs.count(a) - 1) / 2 for a in logprobs]
        return [r * (1 - 0.4 * rank / len(R)) for r, rank in zip(R, order, strict=True)]

    found = METHODS["unlikeliness"](rollouts, beta=0.4)
    assert_group_by_group(found.rewards, rollouts, ranked)
    assert ((found.weights > 0.6) & (found.weights <= 1)).all()


def test_a_row_without_a_log_probability_keeps_its_reward_and_is_not_ranked(rich, take, same):
    rollouts = rich()
    rollouts.logprobs[3] = torch.nan
    with pytest.warns(UserWarning, match="1 completions have no log-probability"):
        found = METHODS["unlikeliness"](rollouts)
    assert found.weights[3] == 1
    rest = torch.arange(16) != 3
    same(METHODS["unlikeliness"](take(rollouts, rest.nonzero().flatten())), found, rest.nonzero().flatten())


@pytest.mark.parametrize("rewards", [[1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 1.0]], ids=len)
def test_mmr_does_not_hang_on_row_order_where_centralities_tie(rewards):
    angle = torch.arange(len(rewards)) * 2 * torch.pi / max(len(rewards), 3)
    x = torch.stack([angle.cos(), angle.sin()], 1).roll(1, 0)
    expected = METHODS["mmr"](Rollouts(rewards, [0] * len(rewards), x)).rewards
    for order in permutations(range(len(rewards))):
        rows = torch.tensor(order)
        found = METHODS["mmr"](Rollouts(torch.tensor(rewards)[rows], [0] * len(rewards), x[rows])).rewards
        torch.testing.assert_close(found, expected[rows], atol=1e-5, rtol=0)


def test_pkpo_in_a_group_of_one_is_the_estimator_itself():
    alone = Rollouts([2.0, 0.0], ["a", "b"])
    assert METHODS["pkpo"](alone, k=1).advantages.tolist() == [1.0, 0.0]
    for options in ({}, {"k": 1, "baseline": "loo-1"}):
        assert METHODS["pkpo"](alone, **options).advantages.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("n", [4, 5, 7])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_pass_at_k_is_the_mean_over_all_subsets_of_their_normalised_advantage(n, k):
    for c in range(n + 1):
        R = [1.0] * c + [0.0] * (n - c)
        teams = list(combinations(range(n), k))
        earned = [max(R[i] for i in team) for team in teams]
        mean, std = fmean(earned), pstdev(earned)
        advantage = {team: (r - mean) / std if std else 0.0 for team, r in zip(teams, earned, strict=True)}
        expected = [fmean(a for team, a in advantage.items() if i in team) for i in range(n)]
        found = METHODS["pass_at_k"](Rollouts(torch.tensor(R, dtype=torch.float64), torch.zeros(n).long()), k=k)
        torch.testing.assert_close(found.advantages, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=0)


@pytest.mark.parametrize("baseline", [None, "loo-1"])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [3, 5, 6])
def test_pkpo_over_all_subsets(n, k, baseline):
    """s_i sums i's teams; "loo-1" subtracts its teams without i."""

    def summed(i, rows, R):
        return sum(max(R[j] for j in team) for team in combinations(rows, k) if i in team) / math.comb(len(rows), k)

    for c in range(n + 1):
        R = [1.0] * c + [0.0] * (n - c)
        rollouts = Rollouts(torch.tensor(R, dtype=torch.float64), torch.zeros(n).long())
        found = METHODS["pkpo"](rollouts, k=k, baseline=baseline).advantages
        if k > n:
            assert (found == 0).all()
            continue
        expected = []
        for i in range(n):
            others = [j for j in range(n) if j != i]
            s = summed(i, range(n), R)
            if baseline == "loo-1" and k == 1:
                s -= fmean(R) / n
            elif baseline == "loo-1":
                s -= sum(max(R[j] for j in team) for team in combinations(others, k - 1)) / math.comb(n, k)
            expected.append(s)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), atol=1e-10, rtol=0)


@pytest.mark.parametrize("c", [1, 7, 15])
def test_pkpo_estimates_the_gradient_of_pass_at_k(c):
    """At success rate p = c/16, E[Σ s_i ∂log π(i)/∂p] must be d pass@k / dp: summed over every draw of n = 4."""
    k, n, p = 2, 4, c / 16
    total = 0.0
    for draw in range(2**n):
        R = [float(draw >> i & 1) for i in range(n)]
        chance = math.prod(p if r else 1 - p for r in R)
        score = [1 / p if r else -1 / (1 - p) for r in R]
        for baseline in (None, "loo-1"):
            s = METHODS["pkpo"](
                Rollouts(torch.tensor(R, dtype=torch.float64), torch.zeros(n).long()), k=k, baseline=baseline
            )
            total += chance * sum(a * g for a, g in zip(s.advantages.tolist(), score, strict=True)) / 2
    assert total == pytest.approx(k * (1 - p) ** (k - 1), abs=1e-12)


def test_binomials_beyond_any_float_do_no_harm():
    R = torch.zeros(5000, dtype=torch.float64)
    R[:3] = 1
    advantages = METHODS["pass_at_k"](Rollouts(R, torch.zeros(5000).long()), k=1000).advantages
    miss = math.comb(4997, 1000) / math.comb(5000, 1000)
    assert advantages[0].item() == pytest.approx(math.sqrt(miss / (1 - miss)), rel=1e-9)
    assert advantages.isfinite().all()


@pytest.mark.parametrize("beta", [-1.0, 0.0, 1e-3, 2.0])
def test_risk_sensitive(beta, rich):
    def utility(R, C, S, rows):
        if beta == 0:
            return [r - fmean(R) for r in R]
        mean = fmean(math.exp(beta * r) for r in R)
        return [(math.exp(beta * r) / mean - 1) / beta for r in R]

    rollouts = rich()
    assert_group_by_group(METHODS["risk_sensitive"](rollouts, beta=beta).advantages, rollouts, utility)


def test_risk_sensitive_survives_large_rewards():
    found = METHODS["risk_sensitive"](Rollouts(torch.tensor([900.0, 0.0]), torch.zeros(2).long())).advantages
    torch.testing.assert_close(found, torch.tensor([0.5, -0.5]))


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_dra_signed_shares_out_what_the_correct_have(scale, rich):
    rollouts = rich()
    grpo = grpo_advantages(rollouts.rewards, rollouts.groups, scale, 1e-4)
    dra = METHODS["dra"](rollouts)
    found = METHODS["dra-signed"](rollouts, scale=scale).advantages
    for rows, _, C, _ in groups_of(rollouts):
        A, w = grpo[rows].tolist(), dra.weights[rows].tolist()
        raised = [a if a > 0 and c else 0.0 for a, c in zip(A, C, strict=True)]
        share = sum(r * v for r, v in zip(raised, w, strict=True))
        expected = [r * v * sum(raised) / share if r else a for r, v, a in zip(raised, w, A, strict=True)]
        torch.testing.assert_close(found[rows], torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)
        assert found[rows].mean().item() == pytest.approx(grpo[rows].mean().item(), abs=1e-9)


def test_dra_signed_pushes_no_correct_completion_down(rich):
    for seed in range(20):
        rollouts = rich((8, 8, 8), seed=seed)
        object.__setattr__(rollouts, "rewards", rollouts.correct.double())
        advantages = METHODS["dra-signed"](rollouts).advantages
        assert (advantages[rollouts.correct] >= 0).all()
        for rows, _, C, _ in groups_of(rollouts):
            if all(C):
                assert (advantages[rows] == 0).all()


@pytest.mark.parametrize("lam", [0.0, 0.3, 1.0])
def test_dra_blend(lam, rich):
    rollouts = rich()
    grpo = grpo_advantages(rollouts.rewards, rollouts.groups)
    found = METHODS["dra-blend"](rollouts, lam=lam).advantages

    def with_bonus(R, C, S, rows):
        company = [i for i, c in enumerate(C) if c]
        w = {i: 1 / (1 + max(0.0, sum(S[i][j] for j in company if j != i))) for i in company}
        spread = stdev(w.values()) if len(w) > 1 else 0.0
        bonus = {i: lam * (w[i] - fmean(w.values())) / (spread + 0.1) for i in company}
        return [a + bonus.get(i, 0.0) for i, a in enumerate(grpo[rows].tolist())]

    assert_group_by_group(found, rollouts, with_bonus)


@pytest.mark.parametrize("rows", ["all", "correct"])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_uniqueness(alpha, rows, rich):
    rollouts = rich()
    grpo = grpo_advantages(rollouts.rewards, rollouts.groups).tolist()

    def divided(R, C, S, members):
        texts = [rollouts.texts[i] for i in members]
        power = [alpha if correct or rows == "all" else 0 for correct in C]
        return [grpo[i] / texts.count(text) ** p for i, text, p in zip(members, texts, power, strict=True)]

    found = METHODS["uniqueness"](rollouts, alpha=alpha, rows=rows, clusters="text").advantages
    assert_group_by_group(found, rollouts, divided)


def test_darling(rich):
    rollouts = rich((12, 9, 1))

    def share_of_others(R, C, S, members):
        n, answers = len(members), [rollouts.answers[i] for i in members]
        sizes = [1 if answer is None else answers.count(answer) for answer in answers]
        return [max((n - size) / (n - 1), 0.2) if n > 1 else 1.0 for size in sizes]

    found = METHODS["darling"](rollouts, clusters="answer", floor=0.2).weights
    assert_group_by_group(found, rollouts, share_of_others)
