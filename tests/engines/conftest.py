"""A tiny policy, rewards that depend on the text, and a plain-loop reference of what the engine must compute."""

import math
from types import SimpleNamespace

import pytest
import torch

pytest.importorskip("trl")

PROMPTS = ["3,5,7>41:", "2,4,6>8:", "1,2,3>6:", "9,9,9>9:", "4,4,2>16:", "5,6,7>37:"]


def length_reward(completions, **columns):
    """Right when the text holds more digits than signs; None, unscorable, when it starts with a 7."""
    return [
        None if t.startswith("7") else float(sum(map(str.isdigit, t)) > len(t) / 2) for t in map(content, completions)
    ]


def comma_reward(completions, **columns):
    """A second opinion: a tenth for each sign that separates."""
    return [None if t.startswith("7") else 0.1 * sum(t.count(c) for c in ",>:=") for t in map(content, completions)]


def content(completion):
    return completion if isinstance(completion, str) else completion[-1]["content"]


def tiny_policy(seed=0, width=32):
    """A Qwen2 with random weights and the character tokenizer."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from dra_grpo.lab.countdown_policy import character_tokenizer

    torch.manual_seed(seed)
    tokenizer = character_tokenizer()
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Qwen2ForCausalLM(config), tokenizer


def make_trainer(
    folder,
    dra,
    *,
    rewards=(length_reward,),
    rloo=False,
    chat=False,
    model=None,
    trainer_class=None,
    trainer_arguments=None,
    peft_config=None,
    rollout_func=None,
    **args,
):
    """A DRA trainer of the tiny policy: 3 groups of 4 a step unless told otherwise."""
    from datasets import Dataset
    from trl import GRPOConfig, RLOOConfig, RLOOTrainer

    from dra_grpo.engines.trl import DRAGRPOTrainer, DRARLOOTrainer

    policy, tokenizer = tiny_policy() if model is None else model
    settings = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 12,
        "num_generations": 4,
        "max_completion_length": 10,
        "max_steps": 1,
        "learning_rate": 1e-3,
        "use_cpu": True,
        "bf16": False,
        "report_to": [],
        "activation_checkpointing": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "seed": 3,
    }
    prompts = PROMPTS * 4
    rows = [[{"role": "user", "content": p}] if chat else p for p in prompts]
    if chat:
        tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    kind = trainer_class or (DRARLOOTrainer if rloo else DRAGRPOTrainer)
    rloo = rloo or issubclass(kind, RLOOTrainer)
    more = {"dra": dra} if trainer_arguments is None else trainer_arguments
    if rollout_func is not None:
        more = {**more, "rollout_func": rollout_func}
    return kind(
        model=policy,
        reward_funcs=list(rewards),
        args=(RLOOConfig if rloo else GRPOConfig)(**{**settings, **args}),
        train_dataset=Dataset.from_list([{"prompt": p} for p in rows]),
        processing_class=tokenizer,
        peft_config=peft_config,
        **more,
    )


def last_batch(trainer):
    """What TRL logged of the last batch, of all processes."""
    logs = trainer._logs
    return SimpleNamespace(
        texts=[content(c) for c in logs["completion"]],
        rewards={name: list(values) for name, values in logs["rewards"].items()},
        advantages=list(logs["advantages"]),
    )


def dra_by_loops(raw, vectors, size):
    """R / (1 + max(0, Σ cos)) by the definition, in Python floats; None rows take no part."""
    adjusted = []
    for i, reward in enumerate(raw):
        if reward is None:
            adjusted.append(None)
            continue
        start = i // size * size
        smi = 0.0
        for j in range(start, start + size):
            if j != i and raw[j] is not None:
                norm = math.hypot(*vectors[i]) * math.hypot(*vectors[j])
                smi += sum(a * b for a, b in zip(vectors[i], vectors[j], strict=True)) / norm if norm else 0.0
        adjusted.append(reward / (1 + max(0.0, smi)))
    return adjusted


def grpo_by_loops(rewards, size, scale=True, floor=0.0):
    """TRL's advantages by the definition; unscorable rows get 0."""
    advantages = []
    for start in range(0, len(rewards), size):
        scored = [r for r in rewards[start : start + size] if r is not None]
        mean = sum(scored) / len(scored) if scored else 0.0
        std = math.sqrt(sum((r - mean) ** 2 for r in scored) / (len(scored) - 1)) if len(scored) > 1 else 0.0
        for reward in rewards[start : start + size]:
            centred = 0.0 if reward is None or len(scored) < 2 else reward - mean
            advantages.append(centred / (max(std, floor) + 1e-4) if scale else centred)
    return advantages


def rloo_by_loops(rewards, size):
    """Reward minus the mean of the other scored ones of its group."""
    advantages = []
    for start in range(0, len(rewards), size):
        group = rewards[start : start + size]
        for i, reward in enumerate(group):
            others = [r for j, r in enumerate(group) if j != i and r is not None]
            advantages.append(0.0 if reward is None or not others else reward - sum(others) / len(others))
    return advantages


def known(values):
    """None for NaN."""
    return [None if v is None or math.isnan(v) else v for v in values]


@pytest.fixture
def lab():
    """Everything above, as one namespace: test modules import nothing from each other."""
    return SimpleNamespace(
        length_reward=length_reward,
        comma_reward=comma_reward,
        tiny_policy=tiny_policy,
        make_trainer=make_trainer,
        last_batch=last_batch,
        dra_by_loops=dra_by_loops,
        grpo_by_loops=grpo_by_loops,
        rloo_by_loops=rloo_by_loops,
        known=known,
    )
