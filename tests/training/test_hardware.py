"""Recipes for GPUs on a CPU, and plans for machines that are not here."""

import pytest

pytest.importorskip("trl")

from dra_grpo.errors import UsageError
from dra_grpo.training.budget import batch_rows
from dra_grpo.training.hardware import force_cpu
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


def test_what_is_asked_for_by_hand_stays(config):
    flags = ["--use_cpu", "--bf16", "true", "--processes", "1", "--gradient_accumulation_steps", "3"]
    settings = parse_settings([*config, *flags])
    assert settings.training.bf16 is True
    assert settings.training.generation_batch_size == 12
    assert {"bf16", "processes", "gradient_accumulation_steps"}.isdisjoint(name for name, *_ in settings.forced)


def test_trls_own_default_of_bf16_is_no_request_for_it():
    settings = parse_settings(["--use_cpu", "--report_to", "none"])
    assert [(name, before, now) for name, before, now, _ in settings.forced] == [("bf16", True, False)]
    assert settings.training.bf16 is False


def test_a_recipe_for_a_cpu_is_not_touched():
    flags = ["--use_cpu", "--bf16", "false", "--attn_implementation", "eager", "--report_to", "none"]
    assert parse_settings(flags).forced == []


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


def test_another_number_of_processes_is_refused_before_anything(config):
    with pytest.raises(
        UsageError, match="meant for 3 training processes, but 1 runs here; launch with torchrun --nproc"
    ):
        parse_settings(config)


def test_a_dry_run_plans_for_machines_that_are_not_here(config):
    settings = parse_settings([*config, "--dry-run"])
    assert (settings.training.world_size, settings.training.use_cpu) == (3, False)
    assert settings.training.deepspeed == {"zero_optimization": {"stage": 2}}
    assert settings.forced == []
    rows = dict(batch_rows(settings))
    assert (rows["completions a generation step"], rows["prompts an optimiser step"]) == (48, "8")


def test_a_gpu_that_is_not_there(config):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(UsageError, match=r"bf16.*use_cpu"):
        parse_settings([*config, "--processes", "1", "--gradient_accumulation_steps", "3", "--deepspeed", ""])


@pytest.mark.parametrize(("problems", "iterations", "per_generation", "epochs"), [(20, 1, 2, 1), (23, 3, 4, 2)])
def test_steps_of_an_epoch_are_those_of_trls_sampler(tmp_path, problems, iterations, per_generation, epochs):
    from trl.trainer.utils import RepeatSampler

    file = tmp_path / "sums.jsonl"
    file.write_text("".join(f'{{"prompt": "{n}+{n}?", "solution": "{2 * n}"}}\n' for n in range(problems)))
    settings = parse_settings(
        ["--task", "dataset", "--dataset_name", str(file), "--dry-run", "--num_generations", "4", "--use_cpu",
         "--per_device_train_batch_size", "8", "--gradient_accumulation_steps", "2", "--report_to", "none",
         "--num_iterations", str(iterations), "--steps_per_generation", str(per_generation),
         "--num_train_epochs", str(epochs)]
    )  # fmt: skip
    sampler = RepeatSampler(
        range(problems), mini_repeat_count=4, batch_size=8 * per_generation // 4,
        repeat_count=iterations * per_generation,
    )  # fmt: skip
    micro_steps = len(sampler) // (8 * per_generation) * epochs
    assert dict(batch_rows(settings))["optimiser steps"] == micro_steps // 2
