"""What TRL's users do around a trainer: it must go on working, and the adjustment must stay right."""

import pytest
import torch

import dra_grpo
from dra_grpo.config import DRAConfig
from dra_grpo.embedders import NgramEmbedder
from dra_grpo.errors import UsageError
from dra_grpo.rewards import accuracy_reward

ORDERS = {"orders": [1, 2]}
NGRAM = DRAConfig(embedder="ngram", embedder_options=ORDERS)


@pytest.fixture
def by_loops(lab):
    """A function from raw rewards and texts of groups of 4 to DRA's advantages, by plain loops."""

    def advantages(raw, texts):
        vectors = NgramEmbedder(**ORDERS).encode(texts).double().tolist()
        return lab.grpo_by_loops(lab.dra_by_loops(raw, vectors, 4), 4)

    return advantages


def test_what_the_user_gave_stays_as_it_is(lab, tmp_path, by_loops):
    weights = [1.0, 2.0]
    functions = [lab.length_reward, lab.comma_reward]
    trainer = lab.make_trainer(tmp_path, NGRAM, rewards=functions, reward_weights=weights)
    trainer.train()
    batch = lab.last_batch(trainer)
    assert list(batch.rewards) == trainer.reward_func_names == ["length_reward", "comma_reward"]
    assert trainer.reward_funcs == functions
    assert trainer.reward_weights.tolist() == weights
    first, second = (lab.known(batch.rewards[name]) for name in ("length_reward", "comma_reward"))
    raw = [None if a is None else a + 2 * b for a, b in zip(first, second, strict=True)]
    assert batch.advantages == pytest.approx(by_loops(raw, batch.texts), abs=1e-5)
    logged = trainer.state.log_history[0]
    scored = [reward for reward in raw if reward is not None]
    assert logged["reward"] == pytest.approx(sum(scored) / len(scored), abs=1e-5)
    assert logged["dra/raw_reward"] == pytest.approx(logged["reward"], abs=1e-5)
    assert logged["dra/adjusted_reward"] < logged["dra/raw_reward"]
    assert "dra/inversions" not in logged  # which are correct is not known, and `dra` does not ask


@pytest.mark.parametrize("count", [1, 2])
def test_reward_weights_may_be_set_while_it_trains(lab, tmp_path, by_loops, count):
    from transformers import TrainerCallback

    class Schedule(TrainerCallback):
        def on_step_begin(self, args, state, control, **_):
            trainer.reward_weights = torch.tensor([3.0, 0.5][:count])

    trainer = lab.make_trainer(tmp_path, NGRAM, rewards=[lab.length_reward, lab.comma_reward][:count])
    trainer.add_callback(Schedule())
    trainer.train()
    batch = lab.last_batch(trainer)
    columns = torch.tensor([batch.rewards[name] for name in trainer.reward_func_names])
    raw = (columns * torch.tensor([3.0, 0.5][:count])[:, None]).sum(0).tolist()
    assert batch.advantages == pytest.approx(by_loops(lab.known(raw), batch.texts), abs=1e-5)


@pytest.mark.parametrize("scale", ["group", "batch", "none"])
@pytest.mark.parametrize("method", ["dra", "dra-robust", "dra-signed", "pass_at_k", "none"])
def test_an_infinite_reward_counts_as_unscorable(lab, tmp_path, method, scale):
    def once_infinite(completions, **columns):
        return [float("inf") if place == 1 else float(place % 2 == 0) for place in range(len(completions))]

    options = {"k": 2} if method == "pass_at_k" else {}
    dra = DRAConfig(method=method, method_options=options, embedder="ngram", embedder_options=ORDERS)
    trainer = lab.make_trainer(tmp_path, dra, rewards=[once_infinite], scale_rewards=scale, max_steps=2)
    with pytest.warns(UserWarning, match=f"method '{method}': 1 of 12 rewards are infinite"):
        trainer.train()
    advantages = torch.tensor(lab.last_batch(trainer).advantages)
    assert advantages.isfinite().all()
    assert advantages[1] == 0
    assert advantages.any()
    assert all(parameter.isfinite().all() for parameter in trainer.model.parameters())


def test_a_trainer_with_advantages_of_its_own_is_refused(lab, tmp_path):
    from trl import GRPOTrainer

    from dra_grpo.engines.trl import DiversityAwareMixin

    class Other(GRPOTrainer):
        def _generate_and_score_completions(self, inputs):
            output = super()._generate_and_score_completions(inputs)
            output["advantages"] = output["advantages"] * 2 + 1
            return output

    mixed = type("Mixed", (DiversityAwareMixin, Other), {})
    with pytest.raises(RuntimeError, match="Mixed computes advantages that are not GRPO's"):
        lab.make_trainer(tmp_path, NGRAM, trainer_class=mixed).train()


def test_evaluation_sees_raw_rewards_and_leaves_the_training_batch(lab, tmp_path):
    trainer = lab.make_trainer(tmp_path, NGRAM, per_device_eval_batch_size=4, num_generations_eval=4)
    trainer.train()
    before = trainer.adjustment
    metrics = trainer.evaluate(trainer.train_dataset.select(range(2)))
    assert metrics["eval_reward"] == pytest.approx(metrics["eval_rewards/length_reward/mean"], abs=1e-6)
    assert not [name for name in metrics if "dra" in name]
    assert trainer.adjustment is before is not None


def test_each_generation_of_a_step_draws_anew_and_a_step_that_is_set_stays(lab, tmp_path):
    def all_right(completions, **columns):
        return [1.0] * len(completions)

    def draws(options):
        dra = DRAConfig("random", {"match": False, **options}, embedder="ngram")
        trainer = lab.make_trainer(
            tmp_path, dra, rewards=[all_right], max_steps=2, steps_per_generation=1, gradient_accumulation_steps=2
        )
        seen, adjust = [], trainer._adjuster.adjust
        trainer._adjuster.adjust = lambda *given: seen.append(adjust(*given)) or seen[-1]
        trainer.train()
        return [adjusted.weights for adjusted in seen]

    moving = draws({})
    assert len(moving) == len({tuple(weights.tolist()) for weights in moving}) == 4
    still = draws({"step": 3})
    assert all(torch.equal(weights, still[0]) for weights in still)


@pytest.mark.parametrize(
    "settings", [{}, {"beta": 0.5}, {"normalize_advantages": True}, {"reward_clip_range": (0.0, 0.4)}]
)
def test_rloo_computes_trl_s_advantages_of_the_adjusted_rewards(lab, tmp_path, settings):
    policy, tokenizer = lab.tiny_policy()
    policy.save_pretrained(tmp_path / "policy")
    options = {"rloo": True, "model": (str(tmp_path / "policy"), tokenizer), "beta": 0.0, **settings}
    ours = lab.make_trainer(tmp_path / "a", NGRAM, **options)
    ours.train()
    batch = lab.last_batch(ours)
    vectors = NgramEmbedder(**ORDERS).encode(batch.texts).double().tolist()
    adjusted = lab.dra_by_loops(lab.known(batch.rewards["length_reward"]), vectors, 4)

    def adjusted_reward(completions, **columns):
        assert completions == batch.texts
        return adjusted

    theirs = lab.make_trainer(tmp_path / "b", DRAConfig(method="none"), rewards=[adjusted_reward], **options)
    theirs.train()
    assert batch.advantages == pytest.approx(lab.last_batch(theirs).advantages, abs=1e-5)
    if not settings:
        assert batch.advantages == pytest.approx(lab.rloo_by_loops(adjusted, 4), abs=1e-5)


def after_one_batch(lab, folder, dra, monkeypatch, **output):
    """A trainer whose completions a user's `rollout_func` gives, after one batch, and the policy of before."""

    def rollout(prompts, trainer):
        ids = [trainer.processing_class(prompt).input_ids for prompt in prompts]
        return {"prompt_ids": ids, **{name: value(len(prompts)) for name, value in output.items()}}

    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    policy, tokenizer = lab.tiny_policy()
    before = {name: value.clone() for name, value in policy.state_dict().items()}
    trainer = lab.make_trainer(folder, dra, model=(policy, tokenizer), rollout_func=rollout)
    trainer.train()
    policy.load_state_dict(before)
    return trainer, policy.eval()


def test_what_a_tool_wrote_counts_in_no_log_probability_and_no_policy_state(lab, tmp_path, monkeypatch):
    output = {
        "completion_ids": lambda N: [[3 + row % 4, 9, 9, 4] for row in range(N)],
        "logprobs": lambda N: [[-0.1 * row, 0.0, 0.0, -1.0] for row in range(N)],
        "env_mask": lambda N: [[1, 0, 0, 1]] * N,
    }
    trainer, _ = after_one_batch(lab, tmp_path / "a", DRAConfig(method="unlikeliness"), monkeypatch, **output)
    rollouts, _ = trainer.adjustment
    assert rollouts.logprobs.tolist() == pytest.approx([-0.1 * row - 1.0 for row in range(12)], abs=1e-6)
    assert rollouts.lengths.tolist() == [2] * 12
    trainer, policy = after_one_batch(lab, tmp_path / "b", DRAConfig(embedder="policy"), monkeypatch, **output)
    rollouts, _ = trainer.adjustment
    rows = []
    for prompt, ids in zip(trainer._logs["prompt"], output["completion_ids"](12), strict=True):
        prompt_ids = trainer.processing_class(prompt).input_ids
        with torch.no_grad():
            states = policy(torch.tensor([prompt_ids + ids]), output_hidden_states=True).hidden_states[-1][0]
        rows.append((states[len(prompt_ids)] + states[len(prompt_ids) + 3]) / 2)
    pooled = torch.stack(rows)
    expected = pooled - pooled[rollouts.scored].mean(0)
    torch.testing.assert_close(rollouts.embeddings, expected, atol=1e-5, rtol=1e-4)


def test_a_completion_without_known_log_probabilities_costs_a_forward_pass(lab, tmp_path, monkeypatch):
    output = {
        "completion_ids": lambda N: [[3 + row % 4, 4] for row in range(N)],
        "logprobs": lambda N: [[float("nan")] * 2 if row == 3 else [-0.5, -0.5] for row in range(N)],
    }
    trainer, policy = after_one_batch(lab, tmp_path, DRAConfig(method="unlikeliness"), monkeypatch, **output)
    rollouts, _ = trainer.adjustment
    prompt_ids = trainer.processing_class(trainer._logs["prompt"][3]).input_ids
    with torch.no_grad():
        logps = policy(torch.tensor([[*prompt_ids, 6, 4]])).logits[0].log_softmax(-1)[len(prompt_ids) - 1 :]
    assert rollouts.logprobs[3] == pytest.approx((logps[0, 6] + logps[1, 4]).item(), abs=1e-4)


def test_tool_calls_and_thoughts_are_embedded(lab, tmp_path):
    """Completions with one last message, after different thoughts and calls, are no copies."""

    def calls(number):
        call = {"type": "function", "function": {"name": "add", "arguments": {"a": number}}}
        return [
            {"role": "assistant", "reasoning_content": f"I add {number}.", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": "41"},
            {"role": "assistant", "content": "42"},
        ]

    trainer = lab.make_trainer(tmp_path, NGRAM, chat=True)
    generate = trainer._generate

    def with_calls(prompts):
        returned = list(generate(prompts))
        returned[3] = [calls(row % 2) for row in range(len(prompts))]
        return tuple(returned)

    trainer._generate = with_calls
    trainer.train()
    _, adjusted = trainer.adjustment
    assert adjusted.smi.max() < 2.99  # one copy, and two that differ in a number
    assert trainer.state.log_history[0]["dra/distinct_completions"] == 0.5


def test_an_embedder_may_be_a_function_and_a_method_an_object(lab, tmp_path):
    @dra_grpo.method(needs="embeddings")
    def first_feature(rollouts):
        return rollouts.rewards * rollouts.embeddings[:, 0]

    def two_features(texts):
        return [[3.0, 4.0] for _ in texts]

    def one_row(texts):
        return [[1.0]]

    trainer = lab.make_trainer(tmp_path, DRAConfig(method=first_feature, embedder=two_features))
    trainer.train()
    rollouts, adjusted = trainer.adjustment
    scored = rollouts.scored
    assert adjusted.rewards[scored].tolist() == pytest.approx((0.6 * rollouts.rewards[scored]).tolist())
    with pytest.raises(UsageError, match="embedder 'one_row' gives"):
        lab.make_trainer(tmp_path, DRAConfig(embedder=one_row))


def test_the_accuracy_reward_takes_trl_s_columns_and_logs_what_it_gave_up(lab, tmp_path):
    trainer = lab.make_trainer(tmp_path, DRAConfig(method="none"), rewards=[accuracy_reward])
    trainer.train_dataset = trainer.train_dataset.add_column("solution", [None, "1"] * 12)
    trainer.train()
    logged = trainer.state.log_history[0]
    names = sorted(name for name in logged if name.startswith("grading/"))
    assert names == ["grading/given_up", "grading/timeouts", "grading/unscorable"]
    scores = lab.known(lab.last_batch(trainer).rewards["accuracy_reward"])
    assert logged["grading/unscorable"] == scores.count(None) in (4, 8)
