"""Recipes for GPUs on a CPU, and plans for machines that are not here."""

import pytest

pytest.importorskip("trl")

import torch

from dra_grpo.errors import UsageError
from dra_grpo.training.budget import batch_rows
from dra_grpo.training.fields import force_cpu
from dra_grpo.training.settings import parse_settings

GPUS = """
model_name_or_path: some/model
dtype: bfloat16
attn_implementation: flash_attention_2
bf16: true
use_vllm: true
deepspeed: {zero_optimization: {stage: 2}}
processes: 3
per_device_train_batch_size: 4
gradient_accumulation_steps: 4
num_generations: 6
max_steps: 5
report_to: none
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "gpus.yaml"
    path.write_text(GPUS)
    return ["--config", str(path)]


def test_what_a_cpu_forces_is_listed_and_a_step_keeps_its_completions(config):
    settings = parse_settings([*config, "--use_cpu"])
    assert [(name, now) for name, _, now, _ in settings.forced] == [
        ("use_vllm", False), ("deepspeed", None), ("attn_implementation", "sdpa"), ("bf16", False),
        ("dtype", "float32"), ("processes", 1), ("gradient_accumulation_steps", 12),
    ]  # fmt: skip
    assert settings.training.generation_batch_size == 48
    assert {name for name, *_ in settings.forced} <= settings.given
    assert (settings.training.bf16, settings.model.dtype, settings.run.processes) == (False, "float32", 1)


def test_what_is_asked_for_by_hand_stays_and_so_does_a_recipe_for_a_cpu(config):
    flags = ["--use_cpu", "--bf16", "true", "--processes", "1", "--gradient_accumulation_steps", "3"]
    settings = parse_settings([*config, *flags])
    assert settings.training.bf16 is True
    assert settings.training.generation_batch_size == 12
    assert {"bf16", "processes", "gradient_accumulation_steps"}.isdisjoint(name for name, *_ in settings.forced)
    flags = ["--use_cpu", "--bf16", "false", "--attn_implementation", "eager", "--report_to", "none"]
    assert parse_settings(flags).forced == []
    settings = parse_settings(["--use_cpu", "--report_to", "none"])
    assert [(name, before, now) for name, before, now, _ in settings.forced] == [("bf16", True, False)]


def test_two_processes_on_a_cpu_share_what_six_would_do(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    gpus = {"use_vllm": False, "deepspeed": None, "attn_implementation": None, "bf16": False, "fp16": False,
            "dtype": "float32"}  # fmt: skip
    chosen = {**gpus, "processes": 6, "gradient_accumulation_steps": 4}
    assert force_cpu(chosen, set()) == [
        ("processes", 6, 2, "processes launched here"),
        ("gradient_accumulation_steps", 4, 12, "a step keeps its completions"),
    ]
    assert force_cpu({**gpus, "processes": 3, "gradient_accumulation_steps": 4}, set()) == []  # refused later


def test_another_number_of_processes_and_a_gpu_that_is_not_there_are_refused_before_anything(config):
    message = "meant for processes: 3, but 1 runs here; launch with torchrun --nproc"
    with pytest.raises(UsageError, match=message):
        parse_settings(config)
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match=r"bf16.*use_cpu"):
            parse_settings([*config, "--processes", "1", "--gradient_accumulation_steps", "3", "--deepspeed", ""])


def test_a_dry_run_plans_for_machines_that_are_not_here(config):
    settings = parse_settings([*config, "--dry-run"])
    assert (settings.training.world_size, settings.training.use_cpu) == (3, False)
    assert settings.training.deepspeed == {"zero_optimization": {"stage": 2}}
    assert settings.forced == []
    rows = dict(batch_rows(settings))
    assert (rows["completions a generation step"], rows["prompts an optimiser step"]) == (48, "8")
