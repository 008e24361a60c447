"""The accuracy reward where it is used: under TRL's trainer, and in several ranks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

RANK = r"""
import json, os, sys, torch, torch.distributed as dist
dist.init_process_group("gloo")
from dra_grpo.rewards import AccuracyReward
reward = AccuracyReward(workers=2, seconds=0.5)
rank = dist.get_rank()
scores = []
for step in range(4):
    completions = [rf"\boxed{{{step + 2}\sqrt2}}", r"\boxed{9^{9^{9^9}}}", rf"\boxed{{x + {rank} + {step}}}"]
    scores.append(reward(completions, [r"\sqrt8", r"\sqrt8", f"{rank} + x + {step}"]))
total = torch.tensor(scores).sum()
dist.all_reduce(total)
print(json.dumps({"rank": rank, "scores": scores, "total": total.item(), "pids": reward.grader.pool.pids}), flush=True)
dist.destroy_process_group()
"""

TRAINING = r"""
import json, threading
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers, decoders
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from trl import GRPOConfig, GRPOTrainer
from dra_grpo.rewards import AccuracyReward, CosineLengthReward, FormatReward, RepetitionPenalty

letters = sorted(pre_tokenizers.ByteLevel.alphabet())
words = ["<pad>", "<eos>", r"\boxed{2\sqrt{2}}", r"\boxed{9^{9^{9^9}}}"]
vocabulary = {token: index for index, token in enumerate(words + letters)}
backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
backend.decoder = decoders.ByteLevel()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="<eos>")
torch.manual_seed(0)
model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(vocabulary), hidden_size=16, intermediate_size=32,
    num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, eos_token_id=1, pad_token_id=0))
with torch.no_grad():  # the two answers are likely enough to be sampled
    model.model.norm.weight.zero_()
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(len(vocabulary)))
    model.lm_head.bias[2:4] = 4.0

data = Dataset.from_dict({"prompt": ["a", "b", "c", "d"] * 2, "solution": [r"\sqrt{8}", r"\sqrt{8}", "x+1", None] * 2})
accuracy = AccuracyReward(workers=2, seconds=0.5)
seen = []
class Spy(AccuracyReward):
    def __call__(self, completions, *args, **columns):
        found = super().__call__(completions, *args, **columns)
        seen.extend(zip(completions, columns["solution"] if "solution" in columns else args[0], found))
        return found
trainer = GRPOTrainer(
    model=model,
    reward_funcs=[Spy(workers=2, seconds=0.5), CosineLengthReward(max_tokens=8, accuracy=accuracy), FormatReward(),
                  RepetitionPenalty(unit="tokens")],
    args=GRPOConfig(output_dir="out", use_cpu=True, bf16=False, report_to=[], max_steps=2, num_generations=4,
        per_device_train_batch_size=8, max_completion_length=8, logging_steps=1, save_strategy="no", temperature=1.0),
    train_dataset=data, processing_class=tokenizer,
)
trainer.train()
logged = [entry for entry in trainer.state.log_history if "reward" in entry]
print("RESULT" + json.dumps({
    "names": trainer.reward_func_names,
    "keys": sorted(key for key in logged[0] if key.startswith("grading/")),
    "timeouts": sum(entry["grading/timeouts"] for entry in logged),
    "unscorable": sum(entry["grading/unscorable"] for entry in logged),
    "seen": seen, "pids": accuracy.grader.pool.pids,
}))
"""


def test_two_ranks_have_workers_of_their_own(tmp_path: Path, gone):
    (tmp_path / "rank.py").write_text(RANK)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0"]
    done = subprocess.run(
        [*command, "--standalone", "rank.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    ranks = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert sorted(rank["rank"] for rank in ranks) == [0, 1]
    for rank in ranks:
        assert rank["scores"] == [[float(step == 0), 0.0, 1.0] for step in range(4)]
        assert rank["total"] == 10.0
    pids = [pid for rank in ranks for pid in rank["pids"]]
    assert len(set(pids)) == len(pids)
    assert gone(pids)


def test_trl_trains_on_it(tmp_path: Path, gone):
    pytest.importorskip("trl")
    (tmp_path / "training.py").write_text(TRAINING)
    done = subprocess.run([sys.executable, "training.py"], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.partition("RESULT")[2])
    assert result["names"] == ["accuracy_reward", "cosine_length_reward", "format_reward", "repetition_penalty"]
    assert result["keys"] == ["grading/given_up", "grading/timeouts", "grading/unscorable"]
    assert len(result["seen"]) == 16
    for completion, solution, score in result["seen"]:
        last_is_right = completion.rfind(r"\boxed{2\sqrt{2}}") > completion.rfind(r"\boxed{9^{9^{9^9}}}")
        right = last_is_right and solution == r"\sqrt{8}"
        assert score == (None if solution is None else float(right)), completion
    assert {score for _, _, score in result["seen"]} == {None, 0.0, 1.0}
    assert result["unscorable"] > 0
    assert result["timeouts"] > 0
    assert not result["pids"] or gone(result["pids"])
