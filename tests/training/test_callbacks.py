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
from dra_grpo.training.callbacks import CostMeter, MetricsWriter, Progress, SamplesWriter, as_text, gpus_paid_for
from dra_grpo.training.settings import Settings

MAIN = SimpleNamespace(is_world_process_zero=True)


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
    first.on_log(None, MAIN, None)
    clock.seconds += 900  # killed before the next step was logged
    before = json.loads(file.read_text())["cost"]
    second = CostMeter(file, clock.seconds, gpus=2, device="A100", price=1.1, before=before)
    file.write_text(json.dumps({"seed": 8}))
    clock.seconds += 1800
    second.write()
    record = json.loads(file.read_text())
    assert record["seed"] == 8
    assert record["cost"] == {
        "gpus": 2, "device": "A100", "seconds": 5400.0, "gpu_hours": 5.0, "price_per_gpu_hour": 1.1, "money": 5.5,
    }  # fmt: skip
    assert cost_line(record["cost"]) == "5.00 GPU-hours (1.50 h on 2 x A100), 5.50 at 1.1 a GPU-hour"


def test_only_the_first_process_writes(file, tmp_path):
    other = SimpleNamespace(is_world_process_zero=False)
    CostMeter(file, 0.0).on_log(None, other, None)
    MetricsWriter(tmp_path / "metrics.jsonl").on_log(None, other, None, logs={"reward": 1.0})
    SamplesWriter(tmp_path / "samples.jsonl", 1, None).on_step_end(None, other, None)
    assert "cost" not in json.loads(file.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["environment.json"]


def test_a_cpu_costs_no_gpu_hours(file, clock):
    meter = CostMeter(file, clock.seconds, price=2.0)
    clock.seconds += 60
    assert (meter.cost["gpu_hours"], meter.cost["money"]) == (0.0, 0.0)
    assert cost_line(meter.cost) == "no GPU-hours (60 s on CPU), 0.00 at 2 a GPU-hour"


def test_metrics_that_are_no_number_are_null(tmp_path):
    file = tmp_path / "metrics.jsonl"
    logs = {"reward": 0.5, "loss": math.nan, "kl": math.inf, "note": "a", "epoch": None}
    MetricsWriter(file).on_log(None, SimpleNamespace(is_world_process_zero=True, global_step=3), None, logs=logs)
    assert json.loads(file.read_text()) == {
        "step": 3, "reward": 0.5, "loss": None, "kl": None, "note": "a", "epoch": None,
    }  # fmt: skip


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_file_gets_ten_lines_and_no_bar_and_so_does_disable_tqdm(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    progress, args = Progress(), SimpleNamespace(disable_tqdm=terminal)
    state = SimpleNamespace(is_world_process_zero=True, global_step=37, max_steps=200)
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
    state = SimpleNamespace(is_world_process_zero=True, global_step=1)
    SamplesWriter(file, 10, trainer).on_step_end(None, state, None)
    state.global_step = 2
    SamplesWriter(file, 10, trainer).on_step_end(None, state, None)
    (group,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert group["prompt"] == "user: 1+1?"
    assert group["completions"] == ['assistant: add({"a": 1})\ntool: 2\nassistant: It is 2.', "plain"]
    assert (group["rewards"], group["adjusted"], group["smi"]) == ([1.0, None], [0.5, None], [None, None])


def test_a_plain_text_stays():
    assert as_text("user: 1") == "user: 1"


@pytest.mark.parametrize(
    ("device", "use_vllm", "mode", "server_gpus", "expected"),
    [
        ("cuda", True, "server", None, 4),
        ("cuda", True, "server", 2, 5),
        ("cuda", True, "colocate", None, 3),
        ("cuda", False, "server", None, 3),
        ("cpu", True, "server", 1, 0),
    ],
)
def test_gpus_paid_for(device, use_vllm, mode, server_gpus, expected):
    trainer = SimpleNamespace(accelerator=SimpleNamespace(device=SimpleNamespace(type=device), num_processes=3))
    training = SimpleNamespace(use_vllm=use_vllm, vllm_mode=mode)
    settings = Settings(RunConfig(server_gpus=server_gpus), DRAConfig(), None, training, set())
    assert gpus_paid_for(trainer, settings) == expected
