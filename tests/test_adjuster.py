"""The adjuster alone: the numbers of `adjust_rewards`, from texts, and what it refuses before the first batch."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import dra_grpo
from dra_grpo import METHODS, Adjuster, DRAConfig, adjust_rewards
from dra_grpo.adjuster import correctness_column
from dra_grpo.embedders import NgramEmbedder
from dra_grpo.errors import UsageError

TEXTS = ["3+5=8,8*2=16", "5+3=8,8*2=16", "3*2=6,5+6=11", "5*2=10,10+6=16", "3+5=8,8*2=16", "1+1=2"]
REWARDS = [1.0, 1.0, 0.0, 1.0, float("nan"), 1.0]
GROUPS = ["a", "a", "b", "a", "a", "b"]
OPTIONS = {"pass_at_k": {"k": 2}, "darling": {"clusters": "text"}, "uniqueness": {"clusters": "text"}}


@pytest.mark.parametrize("name", METHODS)
def test_it_gives_what_the_method_gives_on_the_same_rollouts(name):
    options = OPTIONS.get(name, {})
    logprobs = [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0]
    adjusted = Adjuster(name, embedder="ngram", **options)(REWARDS, GROUPS, texts=TEXTS, logprobs=logprobs, draw=0)
    expected = adjust_rewards(
        REWARDS, NgramEmbedder().encode(TEXTS), GROUPS, method=name, logprobs=logprobs, texts=TEXTS, **options
    )
    torch.testing.assert_close(adjusted.rewards, expected.rewards, equal_nan=True)
    torch.testing.assert_close(adjusted.to_advantages(), expected.to_advantages())


def test_chats_are_embedded_by_what_the_policy_wrote():
    chats = [[{"role": "assistant", "content": text}] for text in TEXTS]
    adjuster = Adjuster("dra", embedder="ngram")
    by_chat, by_text = (adjuster(REWARDS, GROUPS, texts=texts).weights.nan_to_num() for texts in (chats, TEXTS))
    assert torch.equal(by_chat, by_text)
    answers = Adjuster("dra", embedder="ngram", embed="answer").embed(["<think>1+1</think>2", "<think>3-1</think>2"])
    assert torch.equal(answers.rows[0], answers.rows[1])


def test_embeddings_that_are_given_are_used_and_texts_are_not_embedded():
    def never(texts):
        assert len(texts) == 2, "called for the trial alone"
        return np.eye(2)

    rows = torch.eye(3)
    adjusted = Adjuster("dra", embedder=never)([1, 1, 1], [0, 0, 0], embeddings=rows, texts=["a", "b", "c"])
    assert adjusted.weights.tolist() == [1.0, 1.0, 1.0]


def test_answers_come_from_the_function(monkeypatch):
    def after_equals(text):
        return text.rpartition("=")[2]

    monkeypatch.setitem(sys.modules, "answers_here", SimpleNamespace(after_equals=after_equals))
    texts = ["1+1=2", "4-2=2", "1+2=3"]
    for answer in (after_equals, "answers_here:after_equals"):
        adjuster = Adjuster("darling", clusters="answer", answer=answer)
        assert adjuster.rollouts([1, 1, 1], [0, 0, 0], texts=texts).answers == ["2", "2", "3"]
        assert adjuster([1, 1, 1], [0, 0, 0], texts=texts).weights.tolist() == [0.5, 0.5, 1.0]


def test_each_draw_is_another_and_each_comes_again():
    rewards, groups = [1.0] * 8, [0] * 8
    texts = [f"{i}+{i}={2 * i}" * i for i in range(8)]
    adjuster = Adjuster("permuted", embedder="ngram")
    first, second, again = (adjuster(rewards, groups, texts=texts, draw=draw).weights for draw in (0, 1, 0))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "dar"}, "unknown method 'dar'; did you mean"),
        ({"method": len}, "expected a name of METHODS or a function with @dra_grpo.method"),
        ({"smi": "lgdet"}, "smi is 'lgdet'; expected 'graph_cut'"),
        ({"embedder": "ngrma"}, "unknown embedder 'ngrma'; did you mean 'ngram'"),
        ({"embedder": lambda texts: [[1.0]]}, "gives torch.float32 of shape .1, 1. for 2 texts"),
        ({"embedder": "ngram", "embedder_options": {"n": 3}}, "embedder 'ngram' refuses embedder_options"),
        ({"embedder": "policy", "embed": "think"}, "embedder 'policy' pools whole completions; got embed='think'"),
        ({"embedder": "ngram", "embed": "thinking"}, "unknown part of a completion 'thinking'; did you mean 'think'"),
        ({"method": "darling", "clusters": "answer"}, "method 'darling' compares answers; set `answer`"),
        ({"method": "pass_at_k", "k": 4, "group_size": 4}, "with k=4 gives every completion in a group of 4"),
        ({"embedder": "ngram", "answer": "math:pi"}, "expected a function from text to answer"),
    ],
)
def test_what_cannot_work_is_said_before_the_first_batch(settings, message):
    with pytest.raises(UsageError, match=message):
        Adjuster(**settings)


def test_a_dry_run_checks_the_names_and_loads_nothing_and_the_policys_rows_must_be_given():
    Adjuster.of(DRAConfig(embedder="sentence-transformer", embedder_options={"model": "no/such-model"}), load=False)
    with pytest.raises(UsageError, match="unknown embedder"):
        Adjuster.of(DRAConfig(embedder="sentence-transfromer"), load=False)
    with pytest.raises(UsageError, match="needs the model of this step; give embeddings"):
        Adjuster("dra", embedder="policy")([1, 0], [0, 0], texts=["a", "b"])


def test_a_method_of_one_s_own():
    @dra_grpo.method(needs="texts")
    def by_length(rollouts, *, power=1.0):
        return rollouts.rewards / torch.tensor([float(len(text)) for text in rollouts.texts]) ** power

    adjusted = Adjuster(by_length, power=2.0)([1.0, 1.0], [0, 0], texts=["ab", "abcd"])
    assert adjusted.rewards.tolist() == [0.25, 0.0625]
    assert adjusted.stage == "reward"


@pytest.mark.parametrize(
    ("names", "named", "message"),
    [
        (["a", "b"], None, r"correctness_reward is None; expected the reward function .* one of: a, b$"),
        (["a", "b"], "c", r"correctness_reward is 'c'; expected .* one of: a, b$"),
        (["a", "a"], "a", "the name of 2 reward functions; give each a `__name__` of its own"),
    ],
)
def test_which_reward_says_what_is_correct_must_be_clear(names, named, message):
    with pytest.raises(UsageError, match=message):
        correctness_column(names, named)
