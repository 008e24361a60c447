import json

import pytest
import torch

from dra_grpo.lab.countdown_policy import CHARACTERS, character_tokenizer
from dra_grpo.tasks.countdown import BASE_POLICY, accepted_texts, problems

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(BASE_POLICY)


@pytest.fixture(scope="module")
def model():
    return transformers.AutoModelForCausalLM.from_pretrained(BASE_POLICY)


@pytest.fixture(scope="module")
def record():
    return json.loads((BASE_POLICY / "results.json").read_text())


@pytest.mark.parametrize("size", [3, 4])
def test_prompts_and_solutions_take_one_token_a_character(tokenizer, size):
    for problem in problems("test", 20, size):
        prompt_ids = tokenizer(problem.prompt).input_ids
        for text in accepted_texts(problem)[:20]:
            whole = tokenizer(problem.prompt + text).input_ids
            assert len(whole) == len(problem.prompt + text)
            assert whole == prompt_ids + tokenizer(text).input_ids
            assert tokenizer.decode(whole, skip_special_tokens=True) == problem.prompt + text


def test_the_shipped_tokenizer_is_the_one_the_code_makes(tokenizer):
    text = "3,5,7>41:5*7=35,35+6=41"
    assert tokenizer(text).input_ids == character_tokenizer()(text).input_ids
    assert tokenizer.get_vocab() == character_tokenizer().get_vocab()


def test_whatever_is_sampled_decodes_to_what_the_verifier_reads(tokenizer, model):
    """Every id the model can give is one visible character, or ends the sample: texts and samples are one to one."""
    assert len(tokenizer) == model.config.vocab_size == model.get_input_embeddings().num_embeddings
    characters = {tokenizer.decode([index], skip_special_tokens=True) for index in range(len(tokenizer))}
    assert characters == {"", *CHARACTERS}
    assert tokenizer.decode([tokenizer.eos_token_id], skip_special_tokens=True) == ""


def test_padding_is_on_the_left_with_the_end_token(tokenizer, model):
    for config in (tokenizer, model.config, model.generation_config):
        assert config.pad_token_id == config.eos_token_id == tokenizer.eos_token_id
    batch = tokenizer(["2,3>6:", "10,20,20>100:"], padding=True)
    assert batch.attention_mask == [[0] * 7 + [1] * 6, [1] * 13]
    assert batch.input_ids[0][:7] == [tokenizer.eos_token_id] * 7


def test_the_folder_is_small_and_single_precision(model):
    assert (BASE_POLICY / "model.safetensors").stat().st_size <= 4 * 2**20
    assert model.dtype == torch.float32
    assert 0.8e6 < sum(parameter.numel() for parameter in model.parameters()) < 0.9e6


@pytest.mark.parametrize("split", ["validation", "test"])
def test_recorded_results_are_in_the_range_a_testbed_needs(record, split):
    results = record["results"][split]
    assert 0.50 <= results["pass@1"]["value"] <= 0.58
    assert results["pass@16"]["value"] >= 0.95


def test_recorded_results_are_the_policy_s(model, tokenizer, record):
    from dra_grpo.evaluation.exact import exact_probabilities, exact_results

    results = exact_results(exact_probabilities(model, tokenizer, problems("test", 500)))
    for name, values in results.items():
        assert values.mean().item() == pytest.approx(record["results"]["test"][name]["value"], abs=1e-4)
