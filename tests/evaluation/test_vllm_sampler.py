"""The vLLM engine against a stand-in that draws fixed tokens and ends them as vLLM 0.33 does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import TEMPLATES
from dra_grpo.evaluation.samples import Decoding, Request, Sample
from dra_grpo.evaluation.settings import EvalSettings

pytest.importorskip("transformers")

STAND_IN = """
from types import SimpleNamespace
from transformers import AutoTokenizer
from .sampling_params import RequestOutputKind

DRAWN = {}  # prompt -> tokens that the model would draw, were it never stopped


class SamplingParams:
    def __init__(self, n, temperature, top_p, max_tokens, seed, stop_token_ids, output_kind):
        assert n == 1 and output_kind is RequestOutputKind.FINAL_ONLY
        self.max_tokens, self.stop_token_ids = max_tokens, stop_token_ids or []


class LLM:
    def __init__(self, model, *, revision, dtype, tensor_parallel_size, max_model_len):
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        self.llm_engine, self.waiting, self.max_model_len = self, [], max_model_len

    def add_request(self, request_id, prompt, params):
        if self.max_model_len is not None and len(prompt["prompt_token_ids"]) > self.max_model_len:
            raise ValueError(f"The decoder prompt is longer than the maximum model length of {self.max_model_len}.")
        self.waiting.append((request_id, self.tokenizer.decode(prompt["prompt_token_ids"]), params))

    def has_unfinished_requests(self):
        return bool(self.waiting)

    def step(self):
        request_id, prompt, params = self.waiting.pop()  # they finish in any order
        ids, text, reason = [], "", "length"
        for token in DRAWN[prompt][: params.max_tokens]:
            ids.append(token)
            if token == self.tokenizer.eos_token_id or token in params.stop_token_ids:
                reason = "stop"
                break
            text = self.tokenizer.decode(ids, skip_special_tokens=True)
        completion = SimpleNamespace(text=text, token_ids=ids, finish_reason=reason)
        return [SimpleNamespace(request_id=request_id, finished=True, outputs=[completion])]
"""


@pytest.fixture
def vllm(tmp_path, monkeypatch):
    package = tmp_path / "vllm"
    package.mkdir()
    (package / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    (package / "sampling_params.py").write_text("from enum import Enum\nRequestOutputKind = Enum('K', 'FINAL_ONLY')\n")
    for name in ("vllm", "vllm.sampling_params"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    import vllm

    yield vllm
    for name in ("vllm", "vllm.sampling_params"):
        sys.modules.pop(name, None)


def test_a_stop_text_that_is_a_special_token_ends_a_sample(vllm, tiny_model):
    from dra_grpo.evaluation.vllm_sampler import VllmSampler

    sampler = VllmSampler(EvalSettings(str(tiny_model), ("aime24",), Path(), engine="vllm"))
    encode, template = sampler.tokenizer.encode, TEMPLATES["qwen-math"]
    requests = [Request(str(i), 0, template.prompt(f"What is {i}?"), i) for i in range(4)]
    after = ["a<|im_end|>\n<|im_start|>user", "b<|endoftext|>c", "long and longer", "d"]
    vllm.DRAWN.update({request.prompt: encode(text) for request, text in zip(requests, after, strict=True)})
    decoding = Decoding(0.6, 0.95, 12, template.stop)
    drawn = [sample for batch in sampler.sample(requests[:3], decoding) for sample in batch]
    assert sorted(drawn, key=lambda sample: sample.id) == [
        Sample("0", 0, "a", 2, truncated=False),
        Sample("1", 0, "b", 2, truncated=False),
        Sample("2", 0, "long and lon", 12, truncated=True),
    ]


def test_a_prompt_beyond_the_context_is_one_line(vllm, tiny_model):
    from dra_grpo.evaluation.vllm_sampler import VllmSampler

    sampler = VllmSampler(EvalSettings(str(tiny_model), ("aime24",), Path(), engine="vllm", context=5))
    requests = [Request("0", 0, "What is the sum of all numbers from 1 to 100?", 0)]
    with pytest.raises(UsageError, match=r"vLLM refuses a prompt of \d+ tokens: .* the maximum model length of 5"):
        next(sampler.sample(requests, Decoding(0.6, 0.95, 12)))
