"""The definitions, one sum at a time in float64: what every fast path of `core` is held against."""

from __future__ import annotations

import math
from statistics import fmean, median_low
from types import SimpleNamespace

import numpy as np
import pytest
import torch

S = ((1.0, 0.9, 0.8, 0.2), (0.9, 1.0, 0.7, 0.1), (0.8, 0.7, 1.0, 0.3), (0.2, 0.1, 0.3, 1.0))


@pytest.fixture(scope="session")
def worked():
    """The worked example of the methods' notes: cosines, embeddings that have them, rewards."""
    similarity = torch.tensor(S, dtype=torch.float64)
    return SimpleNamespace(
        similarity=similarity,
        embeddings=torch.linalg.cholesky(similarity),
        rewards=torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64),
    )


@pytest.fixture(scope="session")
def random_batch():
    """(rewards (B, G) of 0 and 1, embeddings (B, G, D)), the same for the same seed."""

    def random_batch(B=3, G=5, D=8, seed=0, dtype=torch.float64):
        g = torch.Generator().manual_seed(seed)
        rewards = torch.randint(0, 2, (B, G), generator=g).to(dtype)
        return rewards, torch.randn(B, G, D, generator=g, dtype=torch.float64).to(dtype)

    return random_batch


@pytest.fixture(scope="session")
def assert_same():
    """Two `Adjusted` agree in rewards, weights and SMI."""

    def assert_same(found, expected, atol=1e-12):
        for name in ("rewards", "weights", "smi"):
            sides = getattr(found, name), getattr(expected, name)
            torch.testing.assert_close(*sides, atol=atol, rtol=0, equal_nan=True, check_dtype=False)

    return assert_same


@pytest.fixture(scope="session")
def loops():
    """Plain-Python references over lists of floats."""
    return SimpleNamespace(
        kernel=KERNEL_LOOPS, smi=SMI_LOOPS, redundancy=redundancy_loop, dra=dra_loop, advantages=advantages_loop
    )


def dot(x, y):
    return math.fsum(a * b for a, b in zip(x, y, strict=True))


def norm(x):
    return math.sqrt(dot(x, x))


def cosine(x, y):
    return dot(x, y) / (norm(x) * norm(y)) if norm(x) and norm(y) else 0.0


def matrix(X, pair):
    return [[1.0 if i == j else pair(X[i], X[j]) for j in range(len(X))] for i in range(len(X))]


def prompt_centred_loop(X):
    mean = [fmean(column) for column in zip(*X, strict=True)]
    centred = [[a - m for a, m in zip(x, mean, strict=True)] for x in X]
    centred = [c if norm(c) > 1e-5 * max(map(norm, X)) else [0.0] * len(c) for c in centred]
    return matrix(centred, cosine)


def rbf_loop(X):
    distances = [math.dist(X[i], X[j]) for i in range(len(X)) for j in range(i)]
    sigma = median_low(distances) if distances else 0.0
    if sigma == 0:
        return matrix(X, lambda x, y: float(x == y))
    return matrix(X, lambda x, y: math.exp(-(math.dist(x, y) ** 2) / (2 * sigma**2)))


KERNEL_LOOPS = {
    "cosine": lambda X: matrix(X, cosine),
    "cosine_clamped": lambda X: matrix(X, lambda x, y: max(0.0, cosine(x, y))),
    "cosine_shifted": lambda X: matrix(X, lambda x, y: (1 + cosine(x, y)) / 2),
    "prompt_centred": prompt_centred_loop,
    "rbf": rbf_loop,
}


def graph_cut_loop(S, company, jitter=None):
    return [math.fsum(S[i][j] for j in company if j != i) for i in range(len(S))]


def log_det(S, rows):
    if not rows:
        return 0.0
    sign, value = np.linalg.slogdet(S[np.ix_(rows, rows)])
    assert sign > 0
    return value


def logdet_loop(S, company, jitter=1e-3):
    """f({i}) + f(A) − f(A ∪ {i}), three determinants a row."""
    S = np.array(S, dtype=np.float64).reshape(len(S), len(S)) + jitter * np.eye(len(S))
    rest = [[j for j in company if j != i] for i in range(len(S))]
    return [log_det(S, [i]) + log_det(S, A) - log_det(S, [*A, i]) for i, A in enumerate(rest)]


def facility_location_loop(S, company, jitter=None):
    """f({i}) + f(A) − f(A ∪ {i}), f(X) = Σ_v max_{j∈X} S_vj, the ground set being A ∪ {i}."""

    def f(X, ground):
        return math.fsum(max(S[v][j] for j in X) for v in ground) if X else 0.0

    rest = [[j for j in company if j != i] for i in range(len(S))]
    return [f([i], [*A, i]) + f(A, [*A, i]) - f([*A, i], [*A, i]) for i, A in enumerate(rest)]


SMI_LOOPS = {"graph_cut": graph_cut_loop, "logdet": logdet_loop, "facility_location": facility_location_loop}


def redundancy_loop(rewards, X, groups, correct, smi, kernel, jitter, clamp, correct_only):
    """SMI of each row, NaN for an unscorable one: group by group, as if each were alone in the world."""
    value = [math.nan] * len(rewards)
    for group in set(groups):
        rows = [i for i, g in enumerate(groups) if g == group and not math.isnan(rewards[i])]
        similarity = KERNEL_LOOPS[kernel]([X[i] for i in rows])
        if kernel == "prompt_centred" and smi != "logdet":
            similarity = [[max(0.0, s) for s in row] for row in similarity]
        company = [place for place, i in enumerate(rows) if correct[i] or not correct_only]
        for i, found in zip(rows, SMI_LOOPS[smi](similarity, company, jitter), strict=True):
            value[i] = max(0.0, found) if clamp else found
    return value


def dra_loop(rewards, X, groups, correct, negative="scale", normalize=None, **options):
    """(R̃, w, SMI) of the DRA method."""
    smi = redundancy_loop(rewards, X, groups, correct, **options)
    weights = [1 / (1 + value) for value in smi]
    if normalize == "mean":
        for group in set(groups):
            rows = [i for i, g in enumerate(groups) if g == group]
            counted = [weights[i] for i in rows if correct[i] and not math.isnan(rewards[i])]
            for i in rows:
                weights[i] = weights[i] / fmean(counted) if counted else weights[i] * 0 + 1
    for i, reward in enumerate(rewards):
        if reward < 0 and negative != "scale":
            weights[i] = 1.0 if negative == "keep" else 2 - min(weights[i], 1)
    return [r * w for r, w in zip(rewards, weights, strict=True)], weights, smi


def advantages_loop(rewards, groups, scale="group", eps=1e-4, std_floor=0.0):
    """(R − mean) / (max(σ, floor) + eps), σ with n − 1; 0 for an unscorable row and a group's only scored one."""

    def bessel(values):
        return math.sqrt(sum((v - fmean(values)) ** 2 for v in values) / (len(values) - 1)) if len(values) > 1 else 0.0

    scored = [r for r in rewards if not math.isnan(r)]
    advantages = []
    for reward, group in zip(rewards, groups, strict=True):
        peers = [r for r, g in zip(rewards, groups, strict=True) if g == group and not math.isnan(r)]
        spread = bessel(peers if scale == "group" else scored)
        divisor = 1.0 if scale == "none" else max(spread, std_floor) + eps
        advantages.append(0.0 if math.isnan(reward) else (reward - fmean(peers)) / divisor)
    return advantages
