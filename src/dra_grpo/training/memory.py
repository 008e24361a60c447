"""What a training GPU will hold, part by part, before anything is loaded; docs/recipes.md has the formulas."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dra_grpo.errors import UsageError, one_line

if TYPE_CHECKING:
    from dra_grpo.training.settings import Settings

GIB = 2**30
FRAMEWORK = 2 * GIB
"""CUDA context, kernels and what the allocator cannot use: 1 to 3 GiB as a rule."""
HEAD_TOKENS, HEAD_VOCABULARY = 4096, 32_768
"""TRL's fused head works on tiles of that many tokens and words, so the logits are never whole."""
BUCKETS = 500_000_000
"""Numbers in each of DeepSpeed's two buckets unless its configuration says otherwise."""


class ModelShape(NamedTuple):
    """The numbers of a model that memory depends on.

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
    "Qwen/Qwen2.5-0.5B": ModelShape(494_032_768, 24, 896, 4864, 151_936, 128),
    "Qwen/Qwen2.5-1.5B": ModelShape(1_543_714_304, 28, 1536, 8960, 151_936, 256),
    "Qwen/Qwen2.5-7B": ModelShape(7_615_616_512, 28, 3584, 18_944, 152_064, 512),
}
"""Hub name -> shape; names of the same architecture, such as `-Instruct` and `-Math`, are found too."""


class Part(NamedTuple):
    """One thing in memory.

    Attributes:
        name: what it is.
        bytes: how much.
        when: "always", "generating" (and rewarding), or "training".
    """

    name: str
    bytes: float
    when: str = "always"


class Estimate(NamedTuple):
    """What one training process needs.

    Attributes:
        parts: the parts.
        peak: bytes at the fuller of the two times.
        card: bytes of the smallest card that will do, the share of it included that a colocated vLLM takes.
    """

    parts: list[Part]
    peak: float
    card: float


def model_shape(name: str) -> ModelShape | None:
    """The shape of a model folder or of a known Hub name, None for any other name.

    A folder's model is built on the meta device, which takes no memory: parameters are counted, not worked out.

    Raises:
        UsageError: a folder whose config.json is missing or is no decoder that transformers knows.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        return KNOWN_SHAPES.get(re.sub("-Instruct$|-Math|-Coder", "", name))
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder).get_text_config()
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError) as error:
        raise UsageError(f"model folder {str(folder)!r} has no usable config.json: {one_line(error)}") from error
    hidden, heads = config.hidden_size, config.num_attention_heads
    intermediate = getattr(config, "intermediate_size", None) or 4 * hidden
    kv_heads = getattr(config, "num_key_value_heads", None) or heads
    kv_width = kv_heads * (getattr(config, "head_dim", None) or hidden // heads)
    layers, parameters = config.num_hidden_layers, model.num_parameters()
    return ModelShape(parameters, layers, hidden, intermediate, config.vocab_size, kv_width)


def estimate(settings: Settings, shape: ModelShape) -> Estimate:
    """The memory of one training process at its longest rows.

    Args:
        settings: the run; of TRL's configuration also `world_size`.
        shape: the policy's.
    """
    args: Any = settings.training
    p, b = shape.parameters, args.per_device_train_batch_size
    t = (settings.dataset.max_prompt_tokens or 512) + (args.max_completion_length or 512)
    zero = _deepspeed(args.deepspeed)
    stage = 3 if args.fsdp else zero.get("stage", 0)
    half = bool(args.bf16 or args.fp16)
    weight = 2 if settings.model.dtype != "float32" or (zero and half) else 4
    number = 2 if half or weight == 2 else 4
    state = 12 if zero and weight == 2 else 2 if "8bit" in str(args.optim) else 2 * weight

    def each(needed: int) -> int:
        """The processes that share a part from DeepSpeed's stage `needed` on."""
        return args.world_size if stage >= needed else 1

    whole = not settings.model.use_peft
    buckets = [zero.get(name, BUCKETS) for name in ("reduce_bucket_size", "allgather_bucket_size")] if zero else []
    layer = 10 * shape.hidden + 4 * shape.intermediate  # numbers a token that one layer keeps for its backward pass
    kept = shape.hidden if args.activation_checkpointing else layer
    tile = min(HEAD_TOKENS, b * t) * min(HEAD_VOCABULARY, shape.vocabulary) * number
    cached = 0 if args.use_vllm else b * args.steps_per_generation * t
    all_parts = [
        Part("weights", p * weight / each(3)),
        Part("weights in half precision", p * 2 * (half and weight == 4), "training"),
        Part("gradients", p * weight * whole / each(2), "training"),
        Part("optimiser", p * state * whole / each(1)),
        Part("reference policy", p * weight * (whole and args.beta != 0) / each(3)),
        Part("DeepSpeed buckets", sum(buckets) * 2, "training"),
        Part("activations", b * t * number * (shape.layers * kept + layer), "training"),
        Part("output head", tile + 4 * shape.hidden * (shape.vocabulary + b * t), "training"),
        Part("cache of keys and values", cached * 2 * shape.layers * shape.kv_width * weight, "generating"),
        Part("framework", FRAMEWORK),
    ]
    parts = [part for part in all_parts if part.bytes]
    generating, training = (sum(p.bytes for p in parts if p.when != other) for other in ("training", "generating"))
    beside = 1 - args.vllm_gpu_memory_utilization if args.use_vllm and args.vllm_mode == "colocate" else 1
    card = max(generating / beside, training if args.vllm_enable_sleep_mode else training / beside)
    return Estimate(parts, max(generating, training), card)


def _deepspeed(config: Any) -> dict[str, Any]:
    """`zero_optimization` of a DeepSpeed configuration: a mapping, or the path of a JSON file; {} without one."""
    if isinstance(config, str):
        try:
            config = json.loads(Path(config).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"deepspeed is {config!r}, which cannot be read as a JSON file: {error}") from error
    zero = (config or {}).get("zero_optimization", {"stage": 0} if config else {})
    return {name: int(value) for name, value in zero.items() if isinstance(value, int | float)}
