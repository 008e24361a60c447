from __future__ import annotations

import time
from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import TEMPLATES, Problem
from dra_grpo.evaluation.samples import Decoding, Sample, all_requests
from dra_grpo.evaluation.server_sampler import ServerSampler
from dra_grpo.evaluation.settings import EvalSettings

PROBLEMS = [Problem(str(i), f"What is {i} plus {2 * i}?") for i in range(10)]
DECODING = Decoding(0.6, 0.95, 100, ("stop here",))


def requests(template="r1", samples=2):
    return all_requests(PROBLEMS, TEMPLATES[template], samples, 0, "sums")


def sampler_of(url, concurrency=32, **changes):
    settings = EvalSettings("m", ("aime24",), Path(), engine="server", url=url, batch_size=concurrency, **changes)
    return ServerSampler(settings)


def drawn(sampler, *arguments):
    return {(sample.id, sample.number): sample for batch in sampler.sample(*arguments) for sample in batch}


@pytest.mark.parametrize("concurrency", [1, 4, 64])
@pytest.mark.parametrize("template, path", [("r1", "/v1/chat/completions"), ("plain", "/v1/completions")])
def test_every_request_is_answered_once(server, template, path, concurrency):
    asked = requests(template)
    found = drawn(sampler_of(server.url + "/", concurrency), asked, DECODING)
    assert found.keys() == {(request.id, request.number) for request in asked}
    for request in asked:
        i, seed = int(request.id), request.seed
        assert found[request.id, request.number].completion.endswith(f"it is \\boxed{{{3 * i + (seed % 4 == 0)}}}")
        assert found[request.id, request.number].tokens == 3 + seed % 7
        assert not found[request.id, request.number].truncated
    log = server.log
    assert sorted(body["seed"] for body in log) == sorted(request.seed for request in asked)
    body = log[0]
    assert (body["path"], body["model"]) == (path, "m")
    assert (body["stop"], body["skip_special_tokens"]) == (["stop here"], False)
    assert (body["temperature"], body["top_p"], body["max_tokens"], body["key"]) == (0.6, 0.95, 100, None)


def test_the_limit_on_tokens_is_seen(server):
    found = drawn(sampler_of(server.url), requests(), Decoding(0.6, 0.95, 5))
    assert {sample.truncated for sample in found.values()} == {True, False}
    assert all(sample.tokens == 5 for sample in found.values() if sample.truncated)


def test_a_refusal_is_final_and_what_came_before_is_handed_out(server):
    server.fail(None, None, None, 400)
    sampler = sampler_of(server.url, concurrency=1)
    batches = sampler.sample(requests(), DECODING)
    came = []
    with pytest.raises(UsageError, match=r"refuses the request: 400 .*told to fail with 400|told to fail.*400"):
        came.extend(sample for batch in batches for sample in came.extend(batch) or ())
    assert len(came) == 3
    assert len(server.log) <= 5


CHOICE = {"finish_reason": "stop"}


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": []}, {"choices": [{**CHOICE, "message": {"content": "x"}}]}, {"choices": "no", "usage": {}}],
    ids=["nothing", "no choice", "no usage", "no list"],
)
def test_answers_of_another_kind(server, answer):
    server.fail({"status": 200, "body": answer})
    with pytest.raises(UsageError, match=r"does not answer as OpenAI's API does .*; check the url"):
        drawn(sampler_of(server.url), requests()[:1], DECODING)


@pytest.mark.parametrize(
    "message, text",
    [
        ({"content": "4", "reasoning_content": "2+2"}, "<think>2+2</think>4"),
        ({"content": None, "reasoning": "2+2"}, "<think>2+2"),
        ({"content": None}, ""),
        ({"content": "4", "reasoning_content": None}, "4"),
    ],
)
def test_reasoning_that_the_server_took_out_is_put_back(server, message, text):
    body = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": {"completion_tokens": 2}}
    server.fail({"status": 200, "body": body})
    found = drawn(sampler_of(server.url), requests()[:1], DECODING)
    assert [sample.completion for sample in found.values()] == [text]


def test_the_key_must_be_there_before_anything_is_asked(server):
    with pytest.raises(UsageError, match="key variable 'SOME_KEY' is not set"):
        sampler_of(server.url, key_variable="SOME_KEY")


def test_samples_come_before_the_slowest_and_stopping_does_not_wait(server):
    server.pause(0.4)
    sampler = sampler_of(server.url, concurrency=2)
    start = time.monotonic()
    batches = sampler.sample(requests(), DECODING)
    first = next(batches)
    batches.close()
    assert isinstance(first[0], Sample)
    assert time.monotonic() - start < 2
