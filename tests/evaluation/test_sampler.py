from __future__ import annotations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.question import Question
from dra_grpo.evaluation.sampler import Decoding, batches, plan, request_seed
from dra_grpo.evaluation.templates import TEMPLATES

QUESTIONS = [Question(str(i), "x" * length) for i, length in enumerate([3, 9, 1, 7, 5])]
PROMPTS = [question.problem for question in QUESTIONS]


def test_a_plan_draws_every_sample_once_round_by_round():
    requests = plan(QUESTIONS, PROMPTS, 3, seed=0, task="t")
    assert len({request.key for request in requests}) == 15
    assert [request.key.sample for request in requests] == [0] * 5 + [1] * 5 + [2] * 5
    lengths = [len(request.prompt) for request in requests]
    assert lengths == [9, 7, 5, 3, 1, 1, 3, 5, 7, 9, 9, 7, 5, 3, 1]


def test_more_samples_append_to_the_same_plan():
    assert plan(QUESTIONS, PROMPTS, 5, 0, "t")[:10] == plan(QUESTIONS, PROMPTS, 2, 0, "t")


def test_messages_go_by_the_length_of_their_contents():
    prompts = [[{"role": "system", "content": "ab"}, {"role": "user", "content": prompt}] for prompt in PROMPTS]
    assert [r.key.id for r in plan(QUESTIONS, prompts, 1, 0, "t")] == [
        r.key.id for r in plan(QUESTIONS, PROMPTS, 1, 0, "t")
    ]


def test_seeds_differ_by_everything_that_names_a_sample():
    seeds = {
        request_seed(seed, task, id, sample)
        for seed in range(3) for task in ("a", "b") for id in ("1", "2", "12") for sample in range(20)
    }  # fmt: skip
    assert len(seeds) == 3 * 2 * 3 * 20
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_batches_are_those_of_the_whole_plan_less_what_is_done():
    requests = plan(QUESTIONS, PROMPTS, 2, 0, "t")
    whole = list(batches(requests, (), 4))
    assert [len(batch) for batch in whole] == [4, 4, 2]
    done = {request.key for request in [*whole[0], whole[1][2]]}
    assert list(batches(requests, done, 4)) == [[*whole[1][:2], whole[1][3]], whole[2]]


@pytest.mark.parametrize(
    "values", [(-0.1, 1.0, 8), (1.0, 0.0, 8), (1.0, 1.1, 8), (1.0, 1.0, 0), (float("inf"), 1.0, 8)]
)
def test_decoding_out_of_range(values):
    with pytest.raises(UsageError, match="expected a temperature of at least 0"):
        Decoding(*values)


def test_templates():
    assert TEMPLATES["plain"].prompt("2,3>6:") == "2,3>6:"
    (turn,) = TEMPLATES["r1"].prompt("What?")
    assert turn["role"] == "user"
    assert turn["content"].startswith("What?\n")
    assert r"\boxed{}" in turn["content"]
    system, user = TEMPLATES["paper"].prompt("What?")
    assert (system["role"], user) == ("system", {"role": "user", "content": "What?"})
    assert all(part in system["content"] for part in ("<think>", "</think>", "<answer>", "</answer>", r"\boxed{}"))
    text = TEMPLATES["qwen-math"].prompt("What?")
    assert text.startswith("<|im_start|>system\nPlease reason step by step")
    assert text.endswith("<|im_start|>user\nWhat?<|im_end|>\n<|im_start|>assistant\n")
    assert TEMPLATES["qwen_math"].stop == ("<|im_end|>",)
