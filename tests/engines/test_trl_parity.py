"""With method `none` a trainer of ours is TRL's, bit for bit, whatever TRL settings are in use."""

import pytest
import torch

from dra_grpo.config import DRAConfig

PLAIN = {}
SETTINGS = {
    "default": PLAIN,
    "num_iterations": {"num_iterations": 2},
    "steps_per_generation": {"steps_per_generation": 2, "gradient_accumulation_steps": 4,
                             "per_device_train_batch_size": 4},
    "several generations a step": {"steps_per_generation": 1, "gradient_accumulation_steps": 2},
    "mask_truncated_completions": {"mask_truncated_completions": True},
    "importance sampling per sequence": {"importance_sampling_level": "sequence", "num_iterations": 2},
    "sync_ref_model": {"beta": 0.1, "sync_ref_model": True, "ref_model_sync_steps": 1},
    "top_entropy_quantile": {"top_entropy_quantile": 0.5},
    "off_policy_mask": {"off_policy_mask_threshold": 0.5, "num_iterations": 2},
    "delta": {"delta": 3.0, "num_iterations": 2},
    "entropy_coef": {"entropy_coef": 0.1},
    "reentrant checkpointing": {"gradient_checkpointing": True,
                                "gradient_checkpointing_kwargs": {"use_reentrant": True}},
    "lora with beta": {"beta": 0.1, "lora": True},
    "batch scale": {"scale_rewards": "batch"},
    "no scale": {"scale_rewards": "none", "loss_type": "dr_grpo"},
    "completions table": {"log_completions": True},
    "reward weights": {"rewards": 2, "reward_weights": [1.0, 0.5]},
    "reward module": {"rewards": "module"},
    "rollout_func": {"rollout": True},
}  # fmt: skip


def rollout(prompts, trainer):
    """A user's own generation: fixed tokens, of which an environment wrote the middle one."""
    tokenizer = trainer.processing_class
    prompt_ids = [tokenizer(prompt).input_ids for prompt in prompts]
    completion_ids = [tokenizer(("12,", "1,=", "3+=")[row % 3]).input_ids for row in range(len(prompts))]
    logprobs = [[-0.1 * row, float("nan"), -1.0] for row in range(len(prompts))]
    mask = [[1, 0, 1] for _ in prompts]
    return {"prompt_ids": prompt_ids, "completion_ids": completion_ids, "logprobs": logprobs, "env_mask": mask}


def reward_module(folder, tokenizer):
    from transformers import Qwen2Config, Qwen2ForSequenceClassification

    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, num_labels=1, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    Qwen2ForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Qwen2ForSequenceClassification.from_pretrained(folder)


def trained(lab, folder, base, mix, settings):
    from peft import LoraConfig

    from dra_grpo.engines.trl import DiversityAwareMixin

    settings = dict(settings)
    policy, tokenizer = lab.tiny_policy()
    if "beta" in settings or base.__name__ == "RLOOTrainer":  # the reference model is loaded by name
        policy.save_pretrained(folder / "policy")
        policy = str(folder / "policy")
    rewards = {None: [lab.length_reward], 2: [lab.length_reward, lab.comma_reward]}.get(settings.get("rewards"))
    rewards = rewards or [lab.length_reward, reward_module(folder / "judge", tokenizer)]
    settings.pop("rewards", None)
    more = {"peft_config": LoraConfig(r=2, target_modules=["q_proj"])} if settings.pop("lora", False) else {}
    if settings.pop("rollout", False):
        more["rollout_func"] = rollout
    dra = {"dra": DRAConfig(method="none", correctness_reward=None)} if mix else {}
    kind = type(f"Mixed{base.__name__}", (DiversityAwareMixin, base), {}) if mix else base
    trainer = lab.make_trainer(
        folder, None, trainer_class=kind, model=(policy, tokenizer), rewards=rewards, max_steps=3, **settings, **more,
        trainer_arguments=dra,
    )  # fmt: skip
    torch.manual_seed(5)
    trainer.train()
    keys = ("loss", "grad_norm", "reward", "reward_std", "entropy", "kl")
    logged = [{key: line[key] for key in keys if key in line} for line in trainer.state.log_history]
    return trainer, logged


@pytest.mark.parametrize("name", SETTINGS)
def test_none_is_trl(lab, tmp_path, name, monkeypatch):
    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    from trl import GRPOTrainer

    theirs, their_log = trained(lab, tmp_path / "a", GRPOTrainer, False, SETTINGS[name])
    ours, our_log = trained(lab, tmp_path / "b", GRPOTrainer, True, SETTINGS[name])
    same(theirs, ours)
    assert our_log == their_log
    assert ours.reward_func_names == theirs.reward_func_names
    assert list(ours._logs["rewards"]) == list(theirs._logs["rewards"])


def test_none_is_gmpo(lab, tmp_path):
    gmpo = pytest.importorskip("trl.experimental.gmpo")
    theirs, _ = trained(lab, tmp_path / "a", gmpo.GMPOTrainer, False, PLAIN)
    ours, _ = trained(lab, tmp_path / "b", gmpo.GMPOTrainer, True, PLAIN)
    same(theirs, ours)


@pytest.mark.parametrize("settings", [{}, {"normalize_advantages": True}, {"reward_clip_range": (0.0, 0.5)}])
def test_none_is_rloo(lab, tmp_path, settings):
    from trl import RLOOTrainer

    theirs, _ = trained(lab, tmp_path / "a", RLOOTrainer, False, settings)
    ours, _ = trained(lab, tmp_path / "b", RLOOTrainer, True, settings)
    same(theirs, ours)


def same(theirs, ours):
    """Equal weights, which have moved, and equal advantages, which are not all 0."""
    mine, other = (dict(trainer.model.named_parameters()) for trainer in (ours, theirs))
    assert mine.keys() == other.keys()
    assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert list(ours._logs["advantages"]) == list(theirs._logs["advantages"])
    assert any(ours._logs["advantages"])
