"""What a run writes while it trains: samples, progress, GPU-hours over its parts, and money."""

import json
import math
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("trl")

import torch

from dra_grpo.config import DRAConfig, RunConfig
from dra_grpo.cost import cost_line
from dra_grpo.training.callbacks import CostMeter, MetricsWriter, Progress, SamplesWriter
from dra_grpo.training.settings import Settings


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: now.seconds)
    return now


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({"seed": 7}))
    return path


def test_a_resumed_run_pays_for_both_parts(file, clock):
    first = CostMeter(file, clock.seconds, gpus=4, device="A100")
    clock.seconds += 3600
    first.on_log(None, None, None)
    clock.seconds += 900  # killed before the next step was logged
    before = json.loads(file.read_text())["cost"]
    second = CostMeter(file, clock.seconds, gpus=2, device="A100", price=1.1, before=before)
    file.write_text(json.dumps({"seed": 8}))
    clock.seconds += 1800
    written = second.write()
    assert json.loads(file.read_text()) == {"seed": 8, "cost": written}
    assert written == {
        "gpus": 2, "device": "A100", "seconds": 5400.0, "gpu_hours": 5.0, "price_per_gpu_hour": 1.1, "money": 5.5,
    }  # fmt: skip
    assert cost_line(written) == "5.00 GPU-hours (1.50 h on 2 x A100), 5.50 at 1.1 a GPU-hour"


def test_metrics_that_are_no_number_are_null(tmp_path):
    file = tmp_path / "metrics.jsonl"
    logs = {"reward": 0.5, "loss": math.nan, "kl": math.inf, "note": "a", "epoch": None}
    MetricsWriter(file).on_log(None, SimpleNamespace(global_step=3), None, logs=logs)
    assert json.loads(file.read_text()) == {
        "step": 3, "reward": 0.5, "loss": None, "kl": None, "note": "a", "epoch": None,
    }  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_file_gets_ten_lines_and_no_bar_and_so_does_disable_tqdm(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    progress, args = Progress(), SimpleNamespace(disable_tqdm=terminal)
    state = SimpleNamespace(global_step=37, max_steps=200)
    progress.on_train_begin(args, state, None)  # resumed at step 37
    for state.global_step in range(38, 201):
        progress.on_log(None, state, None, logs={"reward": 1.0, "dra/raw_reward": 0.5, "dra/smi": None})
    progress.on_train_end(None, state, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "train: step 40 of 200, reward 0.500"
    assert [line.split()[2] for line in lines] == [str(step) for step in range(40, 201, 20)]


def test_samples_of_chats_with_tool_calls_and_rows_without_a_score(tmp_path):
    """A tool call has no content, and an unscorable row no number: both are saved."""
    call = {"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}
    chat = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": [{"type": "text", "text": "2"}]},
        {"role": "assistant", "content": "It is 2."},
    ]
    rollouts = SimpleNamespace(is_correct=torch.tensor([True, False]), rewards=torch.tensor([1.0, math.nan]))
    adjusted = SimpleNamespace(rewards=torch.tensor([0.5, math.nan]), smi=torch.tensor([math.nan, math.nan]))
    prompts = [[{"role": "user", "content": "1+1?"}]] * 2
    logs = {"prompt": prompts, "completion": [chat, "plain"], "advantages": [0.5, 0.0]}
    trainer = SimpleNamespace(adjustment=(rollouts, adjusted), num_generations=2, _logs=logs)
    file = tmp_path / "samples.jsonl"
    state = SimpleNamespace(global_step=1)
    SamplesWriter(file, 10, trainer).on_step_end(None, state, None)
    state.global_step = 2
    SamplesWriter(file, 10, trainer).on_step_end(None, state, None)
    (group,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert group["prompt"] == "user: 1+1?"
    assert group["completions"] == ['assistant: add({"a": 1})\ntool: 2\nassistant: It is 2.', "plain"]
    assert (group["rewards"], group["adjusted"], group["smi"]) == ([1.0, None], [0.5, None], [None, None])


@pytest.mark.parametrize(
    ("use_vllm", "mode", "named", "expected"),
    [(True, "server", None, 1), (True, "server", 2, 2), (True, "colocate", None, 0), (False, "server", None, 0)],
)
def test_gpus_that_serve_generation_are_paid_for(use_vllm, mode, named, expected):
    training = SimpleNamespace(use_vllm=use_vllm, vllm_mode=mode)
    assert Settings(RunConfig(server_gpus=named), DRAConfig(), None, training, set()).server_gpus == expected
