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


@pytest.mark.parametrize("unit", ["9", ",", "<think>", "</think>", " ", "Answer: ", "3+5=8,", "\ud800", r"\boxed{"])
def test_a_megabyte_of_anything_scores_low_in_linear_time(unit: str):
    """A quadratic pass would take hours."""
    text = unit * (1_000_000 // len(unit))
    columns = {"numbers": [[3, 5, 2]], "target": [16], "solution": ["16"]}
    for name in (name for name in NAMES if name != "cosine-length"):
        (value,) = REWARDS[name]([text], **columns)
        assert value <= 0.5, name
