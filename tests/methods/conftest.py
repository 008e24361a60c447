"""Rollouts that carry everything a method may ask for, and the methods by kind."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from dra_grpo import Rollouts

STOCHASTIC = ("permuted", "permuted-correct", "random")
"""Methods that draw random numbers by a row's place in its group: another row order is another draw."""


def pytest_generate_tests(metafunc):
    from dra_grpo import METHODS

    if "every" in metafunc.fixturenames:
        metafunc.parametrize("every", list(METHODS))
    if "settled" in metafunc.fixturenames:
        metafunc.parametrize("settled", [name for name in METHODS if name not in STOCHASTIC])
    if "stochastic" in metafunc.fixturenames:
        metafunc.parametrize("stochastic", STOCHASTIC)


@pytest.fixture(scope="session")
def rich():
    """Rollouts of groups of these sizes: graded rewards, near-copies, every optional field; the same for one seed."""

    def rich(sizes=(6, 1, 4, 5), seed=0, dtype=torch.float64, D=6):
        g = torch.Generator().manual_seed(seed)
        N = sum(sizes)
        groups = torch.repeat_interleave(torch.arange(len(sizes)) * 3 - 4, torch.tensor(sizes))
        correct = torch.rand(N, generator=g) < 0.6
        rewards = torch.where(correct, 1.0, -0.5) + 0.25 * torch.randint(0, 3, (N,), generator=g)
        centre = torch.randn(D, generator=g, dtype=torch.float64)
        embeddings = centre + torch.randn(N, D, generator=g, dtype=torch.float64)
        number = torch.randint(0, 3, (N,), generator=g).tolist()
        return Rollouts(
            rewards.to(dtype),
            groups,
            embeddings.to(dtype),
            correct,
            torch.randn(N, generator=g).to(dtype),
            [None if value == 2 else str(value) for value in number],
            ["step " * (1 + 3 * value) for value in number],
            torch.tensor([1 + value for value in number]),
        )

    return rich


@pytest.fixture(scope="session")
def take():
    """The rollouts at `rows`, in that order."""

    def take(rollouts, rows):
        def taken(value):
            if value is None:
                return None
            return value[rows] if isinstance(value, torch.Tensor) else [value[row] for row in rows.tolist()]

        return Rollouts(*(taken(getattr(rollouts, field.name)) for field in fields(rollouts) if field.init))

    return take


@pytest.fixture(scope="session")
def without_scores():
    """The rollouts with the rewards at `rows` NaN, and everything else there made unusable."""

    def without_scores(rollouts, rows):
        rewards, embeddings, logprobs = (
            value.clone() for value in (rollouts.rewards, rollouts.embeddings, rollouts.logprobs)
        )
        rewards[rows], embeddings[rows], logprobs[rows] = torch.nan, torch.inf, torch.nan
        return replace(rollouts, rewards=rewards, embeddings=embeddings, logprobs=logprobs)

    return without_scores


@pytest.fixture(scope="session")
def same():
    """Two `Adjusted` agree in every tensor, the first's rows being at `rows` of the second."""

    def same(found, expected, rows=None, atol=1e-9):
        for name in ("rewards", "weights", "smi", "advantages"):
            a, b = getattr(found, name), getattr(expected, name)
            if a is None or b is None:
                assert a is b, name
                continue
            b = b if rows is None else b[rows]
            torch.testing.assert_close(a, b, atol=atol, rtol=0, equal_nan=True, check_dtype=False)

    return same
