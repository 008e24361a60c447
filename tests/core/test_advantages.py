"""GRPO's and Dr.GRPO's advantages against a plain loop and against the formula TRL computes."""

from __future__ import annotations

import ast
import math
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings, strategies as st

from dra_grpo import grpo_advantages

deterministic = settings(derandomize=True, deadline=None, max_examples=100, database=None)
SCALES = pytest.mark.parametrize("scale", ["group", "batch", "none"])
REWARDS = st.sampled_from([math.nan, -1.0, 0.0, 0.1, 1.0, 2.5])


@SCALES
@given(rows=st.lists(st.tuples(REWARDS, st.integers(-2, 2)), max_size=12), floor=st.sampled_from([0.0, 0.3, 2.0]))
@deterministic
def test_equals_the_loop(loops, scale, rows, floor):
    rewards, ids = [r for r, _ in rows], [g for _, g in rows]
    given = torch.tensor(rewards, dtype=torch.float64), torch.tensor(ids, dtype=torch.long)
    expected = loops.advantages(rewards, ids, scale, std_floor=floor)
    assert grpo_advantages(*given, scale, std_floor=floor).tolist() == pytest.approx(expected, abs=1e-11)
    expected = loops.advantages(rewards, ids, scale)
    assert grpo_advantages(*given, scale).tolist() == pytest.approx(expected, abs=1e-11)


def trl_nanstd():
    """TRL's own function, taken from its file: importing TRL would cost seconds."""
    spec = find_spec("trl")
    if spec is None:
        pytest.skip("trl is not installed; pip install 'dra-grpo[trl]'")
    source = Path(spec.submodule_search_locations[0], "trainer", "utils.py").read_text(encoding="utf-8")
    functions = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "nanstd"]
    namespace = {"torch": torch}
    exec(compile(ast.Module(functions, []), "trl", "exec"), namespace)
    return namespace["nanstd"]


@SCALES
@pytest.mark.parametrize("unscorable", [0.0, 0.2], ids=["all scored", "some not"])
def test_equals_trl(scale, unscorable):
    nanstd = trl_nanstd()
    g = torch.Generator().manual_seed(2)
    rewards = torch.randint(0, 3, (16, 8), generator=g) * 0.5
    rewards[torch.rand(16, 8, generator=g) < unscorable] = torch.nan
    expected = rewards - rewards.nanmean(1, keepdim=True)
    if scale != "none":
        expected = expected / ((nanstd(rewards, dim=1, keepdim=True) if scale == "group" else nanstd(rewards)) + 1e-4)
    torch.testing.assert_close(grpo_advantages(rewards, scale=scale), expected.nan_to_num(0.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float16, torch.bfloat16])
def test_any_dtype_is_computed_in_float32(dtype):
    rewards = torch.tensor([[1, 0, 0, 1], [1, 1, 1, 0]])
    found = grpo_advantages(rewards.to(dtype))
    assert found.dtype == torch.float32
    assert torch.equal(found, grpo_advantages(rewards.float()))
