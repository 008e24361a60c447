"""Groups that span two real processes: each computes what one process alone would, and all the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from dra_grpo import METHODS


@pytest.fixture(scope="module")
def ranks(tmp_path_factory, rich, take, without_scores):
    """The rollouts, and what each of two processes made of them."""
    folder = tmp_path_factory.mktemp("two_processes")
    rollouts = rich((6, 5, 1, 6))
    rollouts = take(rollouts, torch.randperm(18, generator=torch.Generator().manual_seed(0)))
    rollouts = without_scores(rollouts, [4])
    assert len(set(rollouts.groups[:9].tolist()) & set(rollouts.groups[9:].tolist())) >= 3
    torch.save(
        {field.name: getattr(rollouts, field.name) for field in fields(rollouts) if field.init}, folder / "rollouts.pt"
    )
    script = Path(__file__).with_name("two_processes.py")
    started = [
        subprocess.Popen([sys.executable, str(script), str(folder), str(rank), "2"], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], errors
    return rollouts, [torch.load(folder / f"rank{rank}.pt") for rank in range(2)]


def test_two_processes_equal_one(every, ranks):
    rollouts, found = ranks
    options = {"step": 11} if "step" in METHODS[every].options else {}
    adjusted = METHODS[every](rollouts, **options)
    for rank in found:
        for there, here in zip(
            rank[every], (adjusted.rewards, adjusted.weights, adjusted.smi, adjusted.advantages), strict=True
        ):
            assert (there is None) == (here is None)
            if here is not None:
                torch.testing.assert_close(there, here, atol=0, rtol=0, equal_nan=True)
