from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import TEMPLATES, Problem
from dra_grpo.evaluation.samples import Decoding, Request, all_requests
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.evaluation.transformers_sampler import TransformersSampler, draw, prompt_ids, uniforms
from dra_grpo.tasks.countdown import BASE_POLICY

pytest.importorskip("transformers")

PROBLEMS = [Problem(str(i), f"What is {'1' * i} plus {i}?") for i in range(1, 8)]
DECODING = Decoding(0.8, 0.9, 12)


def requests(samples=2, template="r1"):
    return all_requests(PROBLEMS, TEMPLATES[template], samples, 0, "t")


def sampler_of(model, **changes):
    return TransformersSampler(EvalSettings(str(model), ("aime24",), Path(), **changes))


def drawn(sampler, *arguments):
    return [sample for batch in sampler.sample(*arguments) for sample in batch]


@pytest.fixture(scope="module")
def sampler(tiny_model):
    return sampler_of(tiny_model, batch_size=5)


@torch.no_grad()
def one_by_one(sampler, request, decoding):
    """A sample by one forward pass a token over all tokens so far: no batch, no padding, no cache."""
    ids = prompt_ids(sampler.tokenizer, request.prompt)
    numbers = uniforms([request.seed], decoding.max_new_tokens)[0]
    new = []
    for number in numbers:
        logits = sampler.model(input_ids=torch.tensor([ids + new])).logits[:, -1]
        new.append(draw(logits, number.unsqueeze(0), decoding.temperature, decoding.top_p).item())
        if new[-1] in sampler.ends:
            break
    return sampler.tokenizer.decode(new, skip_special_tokens=True), len(new), new[-1] not in sampler.ends


@pytest.mark.parametrize("decoding", [DECODING, Decoding(0.0, 1.0, 6), Decoding(1.0, 1.0, 12)], ids=str)
def test_agrees_with_one_forward_pass_a_token(sampler, decoding):
    asked = requests(1)
    for sample, request in zip(drawn(sampler, asked, decoding), asked, strict=True):
        assert (sample.completion, sample.tokens, sample.truncated) == one_by_one(sampler, request, decoding)


def test_a_sample_does_not_depend_on_its_batch(sampler, tiny_model):
    asked = requests()
    whole = drawn(sampler, asked, DECODING)
    assert drawn(sampler_of(tiny_model, batch_size=3), asked, DECODING) == whole
    assert drawn(sampler, asked[1::3], DECODING) == whole[1::3]


def test_stop_tokens_end_a_sample_and_are_cut_off(sampler):
    free = drawn(sampler, [Request("a", 0, "abc", 1)], Decoding(0.0, 1.0, 12))[0]
    stop = sampler.tokenizer.tokenize(free.completion)[4]
    cut = drawn(sampler, [Request("a", 0, "abc", 1)], Decoding(0.0, 1.0, 12, (stop,)))[0]
    assert (cut.truncated, free.truncated) == (False, True)
    assert cut.tokens <= 5 < free.tokens == 12
    assert free.completion.startswith(cut.completion)
    assert len(cut.completion) < len(free.completion)


def test_chat_template_once_and_no_special_token_twice(sampler):
    ids = prompt_ids(sampler.tokenizer, TEMPLATES["r1"].prompt("Hi"))
    assert sampler.tokenizer.decode(ids).startswith("<|im_start|>user\nHi\n")
    assert sampler.tokenizer.decode(ids).endswith("<|im_start|>assistant\n")
    assert ids.count(1) == 2


@pytest.mark.parametrize("width, new", [(3, 2046), (2048, 1)])
def test_a_prompt_longer_than_the_context(sampler, width, new):
    said = f"of {width} tokens and {new} new ones exceed .* context of 2048; set --max-new-tokens {2048 - width}"
    with pytest.raises(UsageError, match=said):
        drawn(sampler, [Request("a", 0, "a" * width, 1)], Decoding(1.0, 1.0, new))


def test_no_chat_template():
    sampler = sampler_of(BASE_POLICY)
    with pytest.raises(UsageError, match=r"no chat template; .* --template qwen-math or plain"):
        drawn(sampler, requests(1), DECODING)


def test_models_that_cannot_be_loaded(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match=r"no model folder at '\./nowhere'"):
        sampler_of("./nowhere")
    with pytest.raises(UsageError, match="model 'no/such' cannot be loaded"):
        sampler_of("no/such")
    shutil.copytree(tiny_model, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(UsageError, match=r"cannot be loaded: .*safetensors"):
        sampler_of(tmp_path / "bare")


def test_models_that_are_damaged(tmp_path, tiny_model):
    shutil.copytree(tiny_model, tmp_path / "model")
    file = tmp_path / "model" / "model.safetensors"
    weights = load_file(file)
    file.write_bytes(file.read_bytes()[:-1000])  # a save that was killed
    with pytest.raises(UsageError, match=r"cannot be loaded: .*incomplete metadata"):
        sampler_of(tmp_path / "model")
    norm = weights.pop("model.norm.weight")
    save_file(weights, file, {"format": "pt"})
    with pytest.raises(UsageError, match=r"lacks 1 of its weights, which would be random: model\.norm\.weight;"):
        sampler_of(tmp_path / "model")
    save_file({**weights, "model.norm.weight": norm[:-1].clone()}, file, {"format": "pt"})
    with pytest.raises(UsageError, match="cannot be loaded"):
        sampler_of(tmp_path / "model")
    save_file({**weights, "model.norm.weight": norm * float("nan")}, file, {"format": "pt"})
    sampler = sampler_of(tmp_path / "model")
    for decoding in (DECODING, Decoding(1.0, 1.0, 4), Decoding(0.0, 1.0, 4)):
        with pytest.raises(UsageError, match="the model's logits are NaN or infinite; take --dtype bfloat16"):
            drawn(sampler, requests(1), decoding)


def test_vllm_missing_says_what_else_there_is():
    from dra_grpo.evaluation import vllm_sampler

    if vllm_sampler.find_spec("vllm") is not None:
        pytest.skip("vLLM is installed")
    with pytest.raises(UsageError, match="vLLM, which is not installed; pip install vllm, or take --engine trans"):
        vllm_sampler.VllmSampler(EvalSettings("m", ("aime24",), Path(), engine="vllm"))
