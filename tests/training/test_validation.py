"""What is measured while it trains: exact figures, held-out problems, samples that leave training alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("trl")

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from dra_grpo.cli.init_command import write_start
from dra_grpo.errors import UsageError
from dra_grpo.evaluation.exact import exact_probabilities
from dra_grpo.tasks.countdown import BASE_POLICY, problems
from dra_grpo.training.data import held_out
from dra_grpo.training.run import build_trainer
from dra_grpo.training.settings import parse_settings
from dra_grpo.training.validation import best_step, exact_figures

CPU = ["--use_cpu", "--bf16", "false", "--report_to", "none"]


def test_exact_figures_are_those_of_a_loop():
    model, tokenizer = AutoModelForCausalLM.from_pretrained(BASE_POLICY), AutoTokenizer.from_pretrained(BASE_POLICY)
    measured = problems("validation", 12)
    model.train()
    random = torch.get_rng_state()
    figures = exact_figures(model, tokenizer, measured)
    assert model.training
    assert torch.equal(random, torch.get_rng_state())
    temperature = figures.pop("temperature")
    accepted = exact_probabilities(model, tokenizer, measured, temperatures=(0.0, temperature, 1.0))
    passed = dict.fromkeys((1, 2, 4, 8, 16), 0.0)
    sampled = {1: 0.0, 16: 0.0}
    rare = 0
    for one in accepted:
        greedy, other, usual = (sum(row) for row in one.probabilities.tolist())
        for k in passed:
            passed[k] += (1 - (1 - greedy) * (1 - other) ** (k - 1)) / 12
        for k in sampled:
            sampled[k] += (1 - (1 - usual) ** k) / 12
        rare += usual < 0.05
    expected = {"greedy": passed[1], "pass@16": passed[16], "mean": sum(passed.values()) / 5,
                "rarely_solved": rare / 12, "sampled_pass@1": sampled[1], "sampled_pass@16": sampled[16]}  # fmt: skip
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_held_out_problems_are_not_trained_on():
    rows = [{"prompt": [{"role": "user", "content": f"{n % 40}?"}], "solution": str(n % 40)} for n in range(60)]
    flags = ["--task", "dataset", "--dataset_name", "a.jsonl", "--eval_strategy", "steps", *CPU]

    def texts(rows):
        return [row["prompt"][0]["content"] for row in rows]

    kept, taken = held_out(rows, parse_settings([*flags, "--validation_problems", "10"]))
    assert len(taken) == 10
    assert not set(texts(kept)) & set(texts(taken))
    assert set(texts(kept)) | set(texts(taken)) == set(texts(rows))
    shuffled = held_out(rows[::-1], parse_settings([*flags, "--validation_problems", "10", "--seed", "7"]))[1]
    assert sorted(texts(shuffled)) == sorted(texts(taken)), "whatever the order, and whatever the run's seed"
    with pytest.raises(
        UsageError, match="validation_problems is 200, but there are 60 problems in all; hold out fewer"
    ):
        held_out(rows, parse_settings(flags))


def test_samples_leave_training_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_start(tmp_path)
    (tmp_path / "my_own_rewards.py").write_text(
        "def even(completions, **columns):\n    return [1.0 - len(c[0]['content']) % 2 for c in completions]\n"
    )
    own = ["--config", "run.yaml", "--reward_funcs", "my_own_rewards:even", "--validation_problems", "4"]
    trainer = build_trainer(parse_settings([*own, "--load_best_model_at_end", "--max_completion_length", "8"]))
    trainer.model.train()
    trainer._logs["prompt"].append("the last step's")
    random = torch.get_rng_state()
    first, second = trainer.evaluate(), trainer.evaluate()
    assert torch.equal(random, torch.get_rng_state())
    assert list(trainer._logs["prompt"]) == ["the last step's"]
    assert 0 < first["eval_correct"] < 1
    assert first["eval_correct"] == pytest.approx(first["eval_reward"])
    assert first["eval_correct"] <= first["eval_pass@8"] <= 1
    assert (first["eval_correct"], first["eval_entropy"]) == (second["eval_correct"], second["eval_entropy"])
    assert len(trainer.train_dataset) + len(trainer.eval_dataset) == 10


@pytest.mark.parametrize(("loads", "saved", "expected"), [
    (True, "runs/a/checkpoint-50", {"step": 50, "metric": "mean", "value": 0.8, "base": 0.9}),
    (True, None, None),
    (False, "runs/a/checkpoint-50", None),
])  # fmt: skip
def test_the_best_step_beside_the_base_policy(loads, saved, expected):
    args = SimpleNamespace(load_best_model_at_end=loads, metric_for_best_model="mean")
    history = [{"step": 0, "eval_mean": 0.9}, {"step": 25, "loss": 1.0}, {"step": 50, "eval_mean": 0.8}]
    state = SimpleNamespace(best_model_checkpoint=saved, log_history=history)
    assert best_step(SimpleNamespace(args=args, state=state)) == expected


@pytest.mark.slow
def test_processes_agree_on_the_first_ones_figures(tmp_path):
    script = str(Path(__file__).with_name("validate_apart.py"))
    finished = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d",
         "--rdzv_endpoint", "localhost:0", script, str(tmp_path / "run")],
        capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    lines = [json.loads(line) for line in finished.stdout.splitlines() if line.startswith('{"rank"')]
    assert sorted(line["rank"] for line in lines) == [0, 1]
    assert lines[0]["figures"] == lines[1]["figures"]
    assert lines[0]["figures"]["eval_greedy"] > 0.4, "those of the policy that was not disturbed"
