"""The real TRL trainers, one process, against plain loops."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from dra_grpo import grpo_advantages
from dra_grpo.config import DRAConfig
from dra_grpo.embedders import NgramEmbedder
from dra_grpo.errors import UsageError

# Single characters: random texts of ten are alike in little else.
ORDERS = {"orders": [1, 2]}
NGRAM = DRAConfig(embedder="ngram", embedder_options=ORDERS)


def vectors(texts):
    return NgramEmbedder(**ORDERS).encode(texts).double().tolist()


def test_advantages_are_those_of_the_formula(lab, tmp_path):
    trainer = lab.make_trainer(tmp_path, NGRAM)
    trainer.train()
    batch = lab.last_batch(trainer)
    raw = lab.known(batch.rewards["length_reward"])
    assert {None, 0.0, 1.0} <= {*raw, None}
    expected = lab.grpo_by_loops(lab.dra_by_loops(raw, vectors(batch.texts), 4), 4)
    assert batch.advantages == pytest.approx(expected, abs=1e-5)
    plain = lab.grpo_by_loops(raw, 4)
    assert batch.advantages != pytest.approx(plain, abs=1e-3)


def test_correctness_comes_from_the_named_reward(lab, tmp_path):
    dra = replace(NGRAM, correctness_reward="length_reward", method_options={"correct_only": True})
    trainer = lab.make_trainer(tmp_path, dra, rewards=[lab.comma_reward, lab.length_reward])
    trainer.train()
    rollouts, _ = trainer.adjustment
    right = [value == 1.0 for value in lab.last_batch(trainer).rewards["length_reward"]]
    assert rollouts.is_correct.tolist() == right
    assert (rollouts.rewards > 0).tolist() != right


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_parity_with_the_reference_advantages(lab, tmp_path, scale):
    trainer = lab.make_trainer(tmp_path, NGRAM, scale_rewards=scale, loss_type="dr_grpo")
    trainer.train()
    rollouts, adjusted = trainer.adjustment
    expected = grpo_advantages(adjusted.rewards, rollouts.groups, scale=scale)
    assert lab.last_batch(trainer).advantages == pytest.approx(expected.tolist(), abs=1e-6)


def test_advantage_stage_replaces_the_advantages_and_keeps_the_rewards(lab, tmp_path):
    trainer = lab.make_trainer(tmp_path, DRAConfig(method="dra-signed", embedder="ngram"))
    captured = []
    original = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: captured.append(original(inputs)) or captured[-1]
    trainer.train()
    _, adjusted = trainer.adjustment
    batch = lab.last_batch(trainer)
    assert captured[0]["advantages"].tolist() == pytest.approx(adjusted.advantages.tolist(), abs=1e-6)
    assert batch.advantages == pytest.approx(adjusted.advantages.tolist(), abs=1e-6)
    assert adjusted.rewards.nan_to_num().tolist() == [r or 0.0 for r in lab.known(batch.rewards["length_reward"])]


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
def test_std_floor_keeps_small_differences_small(lab, tmp_path, scale):
    def nearly_equal(completions, **columns):
        return [1.0 + 0.001 * place for place in range(len(completions))]

    dra = DRAConfig(embedder="ngram", embedder_options=ORDERS, method_options={"std_floor": 5.0})
    trainer = lab.make_trainer(tmp_path, dra, rewards=[nearly_equal], scale_rewards=scale)
    trainer.train()
    _, adjusted = trainer.adjustment
    expected = adjusted.rewards - adjusted.rewards.view(3, 4).mean(1, keepdim=True).expand(3, 4).reshape(-1)
    expected = expected if scale == "none" else expected / (5.0 + 1e-4)
    assert lab.last_batch(trainer).advantages == pytest.approx(expected.tolist(), abs=1e-6)


def test_advantage_stage_needs_grpo(lab, tmp_path):
    with pytest.raises(UsageError, match="replaces GRPO's advantages and DRARLOOTrainer has its own"):
        lab.make_trainer(tmp_path, DRAConfig(method="dra-signed", embedder="ngram"), rloo=True)


class Seen:
    """A reward function that keeps the token ids it was shown: texts do not hold every token."""

    __name__ = "length_reward"

    def __init__(self, reward):
        self.reward = reward

    def __call__(self, completions, completion_ids, **columns):
        self.ids = completion_ids
        return self.reward(completions)


def test_policy_embedder_under_lora(lab, tmp_path):
    from peft import LoraConfig

    adapter = LoraConfig(r=2, target_modules=["q_proj"])
    trainer = lab.make_trainer(tmp_path, DRAConfig(embedder="policy"), peft_config=adapter)
    trainer.train()
    rollouts, _ = trainer.adjustment
    assert rollouts.embeddings.shape == (12, 32)
    assert rollouts.embeddings.std() > 0


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_logprobs_are_sums_of_the_policy_as_it_is_sampled(lab, tmp_path, temperature):
    policy, tokenizer = lab.tiny_policy()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    seen = Seen(lab.length_reward)
    dra = DRAConfig(method="unlikeliness")
    trainer = lab.make_trainer(tmp_path, dra, model=(policy, tokenizer), rewards=[seen], temperature=temperature)
    trainer.train()
    rollouts, _ = trainer.adjustment
    policy.load_state_dict(before)
    policy.eval()
    expected = []
    for prompt, ids in zip(trainer._logs["prompt"], seen.ids, strict=True):
        prompt_ids = tokenizer(prompt).input_ids
        with torch.no_grad():
            logits = type(policy).forward(policy, torch.tensor([prompt_ids + ids])).logits[0]
        logps = (logits / temperature).log_softmax(-1)[len(prompt_ids) - 1 : -1]
        expected.append(logps[range(len(ids)), ids].sum().item())
    assert rollouts.logprobs.tolist() == pytest.approx(expected, abs=1e-3)
    assert rollouts.lengths.tolist() == [len(ids) for ids in seen.ids]


def test_the_sampler_s_own_logprobs_are_taken_where_it_gives_them(lab, tmp_path):
    """As TRL hands them on from vLLM, with None for a token it could not score; no forward pass is paid for."""
    trainer = lab.make_trainer(tmp_path, DRAConfig(method="unlikeliness"))
    generate = trainer._generate_single_turn
    sampled = []

    def with_logprobs(*args):
        completion_ids, _ = generate(*args)
        sampled[:] = [[-0.1 * row] * len(ids) for row, ids in enumerate(completion_ids)]
        sampled[2][0] = None
        return completion_ids, sampled

    trainer._generate_single_turn = with_logprobs
    trainer._get_per_token_logps_and_entropies = None
    trainer._generate_and_score_completions(trainer.train_dataset.select([0] * 4 + [1] * 4 + [2] * 4).to_list())
    rollouts, _ = trainer.adjustment
    lengths = [len(values) for values in sampled]
    assert rollouts.lengths.tolist() == lengths
    assert rollouts.logprobs.tolist() == pytest.approx([-0.1 * row * lengths[row] for row in range(12)], abs=1e-5)


def final_answer(text):
    return text.rpartition("=")[2] or None


def test_answers_reach_the_method(lab, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "answers_for_this_test", SimpleNamespace(final_answer=final_answer))
    dra = DRAConfig(
        method="darling", method_options={"clusters": "answer"}, answer="answers_for_this_test:final_answer"
    )
    trainer = lab.make_trainer(tmp_path, dra)
    trainer.train()
    rollouts, _ = trainer.adjustment
    assert rollouts.answers == [final_answer(text) for text in lab.last_batch(trainer).texts]


def test_rewards_that_are_normalised_one_by_one_are_refused(lab, tmp_path):
    with pytest.raises(UsageError, match="normalises each reward function by itself"):
        lab.make_trainer(tmp_path, NGRAM, multi_objective_aggregation="normalize_then_sum")


def test_another_trl_is_refused_when_the_trainer_is_built(lab, tmp_path):
    from trl import GRPOTrainer

    from dra_grpo.engines.trl import DiversityAwareMixin

    class Later(GRPOTrainer):
        def _calculate_rewards(self, inputs, prompts, completions):
            raise AssertionError

    class Mine(DiversityAwareMixin, Later):
        pass

    hook = r"lacks _calculate_rewards\(inputs, prompts, completions, completion_ids_list\)"
    with pytest.raises(RuntimeError, match=hook + r", which .*: \(inputs, prompts, completions\); tested with trl"):
        lab.make_trainer(tmp_path, NGRAM, trainer_class=Mine)


def test_figures_of_a_step(lab, tmp_path):
    trainer = lab.make_trainer(tmp_path, NGRAM, max_steps=2)
    trainer.train()
    logged = trainer.state.log_history[1]
    batch = lab.last_batch(trainer)
    distinct = [len(set(batch.texts[start : start + 4])) / 4 for start in range(0, 12, 4)]
    assert logged["dra/distinct_completions"] == pytest.approx(sum(distinct) / 3)
    _, adjusted = trainer.adjustment
    scored = ~adjusted.rewards.isnan()
    assert logged["dra/smi"] == pytest.approx(adjusted.smi[scored].mean().item(), abs=1e-6)
    assert logged["dra/weight_min"] == pytest.approx(adjusted.weights[scored].min().item(), abs=1e-6)
    assert logged["dra/share_of_step"] == pytest.approx(logged["dra/seconds"] / logged["step_time"], rel=1e-6)
    assert logged["dra/truncated"] == 0.0
    assert logged["dra/inversions"] == 0.0
