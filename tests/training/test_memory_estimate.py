"""The estimate's parts against real tensors of small models, and its sums by hand."""

import pytest

pytest.importorskip("trl")
import torch

from dra_grpo.errors import UsageError
from dra_grpo.training.memory import KNOWN_SHAPES, ModelShape, estimate, model_shape
from dra_grpo.training.settings import parse_settings

SMALL = ModelShape(parameters=1000, layers=3, hidden=8, intermediate=16, vocabulary=50, kv_width=4)
FLAGS = ["--dry-run", "--num_generations", "4", "--per_device_train_batch_size", "8", "--report_to", "none",
         "--max_completion_length", "88", "--max_prompt_tokens", "12", "--embedder", "ngram"]  # fmt: skip


def parts(*flags, shape=SMALL):
    return {part.name: part for part in estimate(parse_settings([*FLAGS, *flags]), shape).parts}


@pytest.fixture(scope="module")
def model():
    from transformers import Qwen2Config, Qwen2ForCausalLM

    heads = {"num_attention_heads": 6, "num_key_value_heads": 2}
    size = {"vocab_size": 50, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3}
    return Qwen2ForCausalLM(Qwen2Config(**size, **heads, tie_word_embeddings=False))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    model.config.save_pretrained(path)
    return str(path)


def test_a_folders_shape_is_that_of_the_model_and_a_name_stands_for_its_architecture(model, folder, tmp_path):
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert model_shape(folder) == ModelShape(parameters, 3, 24, 40, 50, 8)
    assert model_shape("Qwen/Qwen2.5-Math-1.5B-Instruct") == KNOWN_SHAPES["Qwen/Qwen2.5-1.5B"]
    assert model_shape("some/other") is None
    with pytest.raises(UsageError, match=r"has no usable config\.json"):
        model_shape(str(tmp_path))


@pytest.mark.parametrize("name", KNOWN_SHAPES)
def test_the_known_shapes(name):
    """Parameters from the definition of Qwen2: biases on queries, keys and values; three matrices in the MLP."""
    shape = KNOWN_SHAPES[name]
    h, i, kv = shape.hidden, shape.intermediate, shape.kv_width
    layer = 2 * h * h + 2 * h * kv + h + 2 * kv + 3 * h * i + 2 * h
    tied = "DeepSeek" not in name and "7B" not in name
    assert shape.parameters == shape.layers * layer + h + shape.vocabulary * h * (1 if tied else 2)


def test_weights_gradients_and_optimiser_are_those_of_adamw(model, folder):
    optimiser = torch.optim.AdamW(model.parameters())
    model(torch.tensor([[1, 2, 3]])).logits.sum().backward()
    optimiser.step()
    moments = [state[m] for state in optimiser.state.values() for m in ("exp_avg", "exp_avg_sq")]
    found = parts("--bf16", "false", shape=model_shape(folder))
    weights, gradients = list(model.parameters()), [parameter.grad for parameter in model.parameters()]
    for name, tensors in {"weights": weights, "gradients": gradients, "optimiser": moments}.items():
        assert found[name].bytes == sum(tensor.numel() * tensor.element_size() for tensor in tensors), name


def test_the_cache_is_that_of_generate(model, folder):
    cache = model(torch.zeros(8, 100, dtype=torch.long), use_cache=True).past_key_values
    real = sum(t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values))
    assert parts("--bf16", "false", shape=model_shape(folder))["cache of keys and values"].bytes == real
    assert "cache of keys and values" not in parts("--use_vllm", "true")


def test_zero_2_by_hand():
    zero = '{"zero_optimization": {"stage": 2, "reduce_bucket_size": 10, "allgather_bucket_size": 20}}'
    found = parts("--deepspeed", zero, "--processes", "4", "--beta", "0.1", "--dtype", "bfloat16")
    sizes = {name: part.bytes for name, part in found.items()}
    assert (sizes["weights"], sizes["reference policy"]) == (2000, 2000)
    assert (sizes["gradients"], sizes["optimiser"], sizes["DeepSpeed buckets"]) == (500, 3000, 60)
    assert "weights in half precision" not in found
    assert parts("--deepspeed", '{"zero_optimization": {"stage": 3}}', "--processes", "4")["weights"].bytes == 500
    lora = parts("--use_peft", "--beta", "0.1")
    assert {"gradients", "optimiser", "reference policy"}.isdisjoint(lora)


def test_activations_by_hand():
    layer = 10 * 8 + 4 * 16
    assert parts("--activation_checkpointing", "true")["activations"].bytes == 8 * 100 * 2 * (3 * 8 + layer)
    whole = parts("--activation_checkpointing", "false", "--bf16", "false")
    assert whole["activations"].bytes == 8 * 100 * 4 * (3 * layer + layer)


def test_the_peak_is_the_fuller_time_and_the_card_leaves_vllm_its_share():
    def held(needs, when):
        return sum(part.bytes for part in needs.parts if part.when in ("always", when))

    needs = estimate(parse_settings([*FLAGS, "--bf16", "false"]), SMALL)
    assert needs.peak == max(held(needs, "generating"), held(needs, "training")) == needs.card
    colocated = [*FLAGS, "--use_vllm", "true", "--vllm_gpu_memory_utilization", "0.25"]
    awake = estimate(parse_settings(colocated), SMALL)
    assert awake.card == pytest.approx(awake.peak / 0.75)
    asleep = estimate(parse_settings([*colocated, "--vllm_enable_sleep_mode", "true"]), SMALL)
    assert asleep.card == max(held(asleep, "training"), held(asleep, "generating") / 0.75)


@pytest.mark.parametrize("text", [None, "{"])
def test_a_deepspeed_file_that_cannot_be_read(tmp_path, text):
    file = tmp_path / "zero.json"
    if text:
        file.write_text(text)
    with pytest.raises(UsageError, match=r"zero.json', which cannot be read as a JSON file"):
        parts("--deepspeed", str(file))
