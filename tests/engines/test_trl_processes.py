"""Two real gloo processes, groups split between them, one row unscorable: the numbers of whole groups all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dra_grpo import METHODS, Rollouts
from dra_grpo.embedders import NgramEmbedder

ORDERS = {"orders": [1, 2]}
OPTIONS = {"darling": {"clusters": "text"}, "uniqueness": {"clusters": "text"}, "pass_at_k": {"k": 2}}
CASES = {
    "policy": ({"embedder": "policy"}, {"scale_rewards": "none", "loss_type": "dr_grpo"}),
    "rloo": ({"embedder": "ngram", "embedder_options": ORDERS}, {"rloo": True, "beta": 0.0}),
    **{
        name: (
            {"method": name, "embedder": "ngram", "embedder_options": ORDERS, "method_options": OPTIONS.get(name, {})},
            {},
        )
        for name in METHODS
    },
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    out = tmp_path_factory.mktemp("processes") / "records.json"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0"]
    script = str(Path(__file__).with_name("split_groups.py"))
    finished = subprocess.run(
        [*command, script, str(out), json.dumps(list(CASES.values()))],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-4000:]
    found = dict(zip(CASES, json.loads(out.read_text()), strict=True))
    for record in found.values():
        assert record["processes"] == 2
        assert record["raw"][5] is None
        assert {0.0, 1.0} <= set(record["raw"])
    return found


def test_dra_with_ngrams(lab, records):
    record = records["dra"]
    vectors = NgramEmbedder(**ORDERS).encode(record["texts"]).double().tolist()
    adjusted = lab.dra_by_loops(record["raw"], vectors, 4)
    expected = lab.grpo_by_loops(adjusted, 4)
    assert record["advantages"] == pytest.approx(expected, abs=1e-5)
    assert record["received"] == pytest.approx(expected, abs=1e-5)
    local_only = lab.dra_by_loops(record["raw"], vectors, 6)
    assert [a for a in adjusted if a] != pytest.approx([a for a in local_only if a], abs=1e-2)
    distinct = [len(set(record["texts"][start : start + 4])) / 4 for start in range(0, 12, 4)]
    assert record["logged"]["dra/distinct_completions"] == pytest.approx(sum(distinct) / 3)


def test_policy_states_are_centred_over_both_processes(lab, records):
    record = records["policy"]
    scored = [row for row, reward in zip(record["embeddings"], record["raw"], strict=True) if reward is not None]
    assert torch.tensor(scored).mean(0).abs().max() < 1e-6
    adjusted = lab.dra_by_loops(record["raw"], record["embeddings"], 4)
    assert record["advantages"] == pytest.approx(lab.grpo_by_loops(adjusted, 4, scale=False), abs=1e-5)


def test_rloo(lab, records):
    record = records["rloo"]
    vectors = NgramEmbedder(**ORDERS).encode(record["texts"]).double().tolist()
    expected = lab.rloo_by_loops(lab.dra_by_loops(record["raw"], vectors, 4), 4)
    assert record["received"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gives_what_one_process_gives(lab, records, name):
    record, method = records[name], METHODS[name]
    raw = torch.tensor([float("nan") if r is None else r for r in record["raw"]])
    trainer_options = {"scale": "group", "eps": 1e-4, "step": 0}
    adjusted = method(
        Rollouts(
            raw,
            torch.arange(12) // 4,
            NgramEmbedder(**ORDERS).encode(record["texts"]),
            raw > 0,
            record["logprobs"],
            None,
            record["texts"],
            record["lengths"],
        ),
        **OPTIONS.get(name, {}),
        **{k: v for k, v in trainer_options.items() if k in method.options},
    )
    assert record["weights"] == pytest.approx(lab.known(adjusted.weights.tolist()), abs=1e-5)
    if adjusted.advantages is not None:
        expected = adjusted.advantages.tolist()
    else:
        expected = lab.grpo_by_loops(
            lab.known(adjusted.rewards.tolist()), 4, floor=method.options.get("std_floor", 0.0)
        )
    assert record["received"] == pytest.approx(expected, abs=1e-5)
