"""Sampling with transformers: any device, the CPU among them."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from math import inf
from typing import Any

import torch
from torch import Tensor

from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.samples import Decoding, Request, Sample
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.hub import model_folder
from dra_grpo.tasks.prompts import Prompt


class TransformersSampler:
    """Batches of one `generate` each, left-padded.

    A sample depends on its own seed and on nothing its batch holds, but for the rounding of the forward pass, which
    varies with the shape of a batch.

    Args:
        settings: model, batch_size, dtype, revision and devices.

    Raises:
        UsageError: the model cannot be loaded, or not all of it.
    """

    def __init__(self, settings: EvalSettings):
        require("transformers", "trl", "the transformers engine")
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig
        from transformers.utils.logging import disable_progress_bar

        self.settings = settings
        if not sys.stderr.isatty():
            disable_progress_bar()
        with loading(settings.model) as model:
            where: dict[str, Any] = {"pretrained_model_name_or_path": model, "revision": settings.revision or "main"}
            self.tokenizer = AutoTokenizer.from_pretrained(**where)
            loaded: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=settings.dtype, output_loading_info=True)
        self.model, report = loaded
        if missing := sorted(report["missing_keys"]):
            found = f"model {settings.model!r} lacks {len(missing)} of its weights"
            raise UsageError(f"{found}, which would be random: {missing[0]}; is the checkpoint whole?")
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self.model.to(accelerator or "cpu").eval()
        self.devices = int(accelerator is not None) if settings.devices is None else settings.devices
        ends = self.model.generation_config.eos_token_id
        self.ends = {self.tokenizer.eos_token_id, *(ends if isinstance(ends, list) else [ends])} - {None}
        # Whatever `generate` is not told it takes from here, such as the repetition penalty that Qwen's models ship.
        self.model.generation_config = GenerationConfig()

    @torch.no_grad()
    def sample(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw every request, a batch at a time.

        Raises:
            UsageError: a prompt and the limit on new tokens together exceed the model's context, or it computes NaN.
        """
        ends = self.ends | stop_tokens(self.tokenizer, decoding)
        for start in range(0, len(requests), self.settings.batch_size):
            batch = requests[start : start + self.settings.batch_size]
            samples = []
            for request, row in zip(batch, self._generated(batch, decoding, ends), strict=True):
                text = list(takewhile(lambda token: token not in ends, row))  # what follows the end is padding
                said, ended = self.tokenizer.decode(text, skip_special_tokens=True), len(text) < len(row)
                samples.append(Sample(request.id, request.number, said, len(text) + ended, truncated=not ended))
            yield samples

    def _generated(self, batch: Sequence[Request], decoding: Decoding, ends: set[int]) -> list[list[int]]:
        """New tokens of each request, padded after the end token that stopped it."""
        from transformers import LogitsProcessorList

        rows = [prompt_ids(self.tokenizer, request.prompt) for request in batch]
        width = max(map(len, rows))
        context = getattr(self.model.config, "max_position_embeddings", inf)
        if width + decoding.max_new_tokens > context:
            found = f"a prompt of {width} tokens and {decoding.max_new_tokens} new ones exceed the model's context"
            raise UsageError(f"{found} of {context}; set --max-new-tokens {max(0, context - width)} or less")
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else min(ends, default=0)
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        numbers = uniforms([request.seed for request in batch], decoding.max_new_tokens).to(self.model.device)

        def chosen(so_far: Tensor, logits: Tensor) -> Tensor:
            tokens = draw(logits, numbers[:, so_far.shape[1] - width], decoding.temperature, decoding.top_p)
            return torch.full_like(logits, -torch.inf).scatter(-1, tokens.unsqueeze(-1), 0.0)

        output = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            logits_processor=LogitsProcessorList([chosen]),
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=sorted(ends) or None,
            pad_token_id=pad,
        )
        return output[:, width:].tolist()


@contextmanager
def loading(model: str) -> Iterator[str]:
    """Hand out the folder or Hub name to load `model` from, and put what goes wrong then into one line.

    Raises:
        UsageError: it cannot be loaded, or `model` looks like a folder and is none.
    """
    from safetensors import SafetensorError

    place = model_folder(model) or model
    try:
        yield place
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UsageError(f"model {model!r} cannot be loaded: {reason}") from error


def prompt_ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """The token ids of a prompt: a text as it stands, messages by the tokenizer's chat template.

    Raises:
        UsageError: the tokenizer has no chat template.
    """
    if isinstance(prompt, str):
        return tokenizer(prompt).input_ids
    if tokenizer.chat_template is None:
        raise UsageError("the tokenizer has no chat template; take one that needs none: --template qwen-math or plain")
    text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    return tokenizer(text, add_special_tokens=False).input_ids  # the template writes the special tokens itself


def stop_tokens(tokenizer: Any, decoding: Decoding) -> set[int]:
    """The tokens that end a completion beside the model's own end tokens."""
    return {id for token, id in tokenizer.get_vocab().items() if token in decoding.stop}


def uniforms(seeds: Sequence[int], count: int) -> Tensor:
    """Row n: the first `count` uniform numbers in [0, 1) of the generator that `seeds[n]` starts. (N, count) float32.

    >>> torch.equal(uniforms([3, 5], 4)[1:], uniforms([5], 4))
    True
    """
    return torch.stack([torch.rand(count, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def draw(logits: Tensor, uniform: Tensor, temperature: float, top_p: float) -> Tensor:
    """One token a row by inverting the distribution function at a given uniform number.

    The nucleus holds the likeliest tokens up to and with the one that brings their sum to `top_p`.

    Args:
        logits: (N, V).
        uniform: (N,) in [0, 1).
        temperature: 0 takes the likeliest token.
        top_p: in (0, 1].

    Returns:
        (N,) token ids, never one of probability 0.

    Raises:
        UsageError: logits are NaN or infinite.

    >>> draw(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0.4, 0.6]), temperature=1.0, top_p=1.0)
    tensor([0, 1])
    """
    if not logits.amax(-1).isfinite().all():
        raise UsageError("the model's logits are NaN or infinite; take --dtype bfloat16 or float32, or other weights")
    if temperature == 0:
        return logits.argmax(-1)
    probabilities, tokens = (logits.float() / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = probabilities.cumsum(-1) - probabilities
    probabilities = probabilities.masked_fill(before >= top_p, 0.0)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    # Strictly below the total, or rounding could point behind the last token that has any probability.
    point = torch.minimum(uniform.unsqueeze(-1) * total, torch.nextafter(total, torch.zeros_like(total)))
    return tokens.gather(-1, torch.searchsorted(cumulative, point, right=True)).squeeze(-1)
