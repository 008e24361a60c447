"""The registry of rewards: what is in it, and what importing the package costs."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import pytest

from dra_grpo.rewards import REWARDS

NAMES = ["accuracy", "format", "cosine-length", "repetition-penalty", "countdown", "step-validity", "game24"]


def test_names():
    assert list(REWARDS) == NAMES
    assert REWARDS["cosine_length"] is REWARDS["cosine-length"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_reward_function_in_trls_sense(name: str):
    reward = REWARDS[name]
    assert reward.__name__.isidentifier()
    parameters = inspect.signature(reward).parameters
    assert next(iter(parameters)) == "completions"
    assert [p.kind for p in parameters.values()][-1] is inspect.Parameter.VAR_KEYWORD
    assert pickle.loads(pickle.dumps(reward)) == reward


def test_importing_loads_neither_math_verify_nor_torch():
    heavy = "('math_verify', 'sympy', 'torch', 'trl')"
    code = f"import sys, dra_grpo.rewards; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
