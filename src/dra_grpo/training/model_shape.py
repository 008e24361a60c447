"""The numbers of a model that memory depends on, without its weights and without the Hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dra_grpo.errors import UsageError


@dataclass(frozen=True)
class ModelShape:
    """A decoder's size.

    Attributes:
        parameters: weights, tied ones once.
        layers, hidden, intermediate, vocabulary: as in its config.json.
        kv_width: key (or value) numbers a token and layer: key-value heads times their width.
    """

    parameters: int
    layers: int
    hidden: int
    intermediate: int
    vocabulary: int
    kv_width: int


KNOWN_SHAPES = {
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B": ModelShape(1_777_088_000, 28, 1536, 8960, 151_936, 256),
    "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B": ModelShape(7_615_616_512, 28, 3584, 18_944, 152_064, 512),
    "Qwen/Qwen2.5-0.5B": ModelShape(494_032_768, 24, 896, 4864, 151_936, 128),
    "Qwen/Qwen2.5-1.5B": ModelShape(1_543_714_304, 28, 1536, 8960, 151_936, 256),
    "Qwen/Qwen2.5-7B": ModelShape(7_615_616_512, 28, 3584, 18_944, 152_064, 512),
}
"""Hub name -> shape; names of the same architecture, such as `-Instruct` and `-Math`, are found too."""


def model_shape(name: str) -> ModelShape | None:
    """The shape of a model folder or of a known Hub name, None for any other name.

    Raises:
        UsageError: a folder whose config.json is missing or is no decoder that transformers knows.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _folder_shape(folder)
    plain = name.removesuffix("-Instruct").replace("Qwen2.5-Math-", "Qwen2.5-").replace("Qwen2.5-Coder-", "Qwen2.5-")
    return KNOWN_SHAPES.get(plain)


def _folder_shape(folder: Path) -> ModelShape:
    """Built on the meta device, which takes no memory: parameters are counted, not worked out by formula."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder).get_text_config()
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise UsageError(f"model folder {str(folder)!r} has no usable config.json: {first_line}") from error
    heads = config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return ModelShape(
        sum(parameter.numel() for parameter in model.parameters()),
        config.num_hidden_layers,
        config.hidden_size,
        getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
        config.vocab_size,
        (getattr(config, "num_key_value_heads", None) or heads) * head_width,
    )
