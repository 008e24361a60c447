"""Sampling with transformers: any device, the CPU among them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from dra_grpo.errors import UsageError, require
from dra_grpo.evaluation.sampler import Decoding, Key, Request, Sample, batches
from dra_grpo.evaluation.templates import Prompt
from dra_grpo.evaluation.token_draws import draw, uniforms
from dra_grpo.hub import model_folder


class TransformersSampler:
    """Batches of one `generate` each, left-padded.

    A sample depends on its own seed and on nothing its batch holds, but for the rounding of the forward pass, which
    varies with the shape of a batch.

    Args:
        model: a folder or a Hub name.
        batch_size: prompts a batch.
        dtype: `auto` takes the checkpoint's.
        revision: of a Hub model.

    Raises:
        UsageError: the model cannot be loaded, or not all of it.
    """

    def __init__(self, model: str, batch_size: int = 32, dtype: str = "auto", revision: str | None = None):
        require("transformers", "trl", "the transformers engine")
        from safetensors import SafetensorError
        from transformers import AutoModelForCausalLM, GenerationConfig

        self.batch_size = batch_size
        model = model_folder(model) or model
        self.tokenizer = load_tokenizer(model, revision)
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                model, dtype=dtype, revision=revision or "main", output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UsageError(f"model {model!r} cannot be loaded: {_first_line(error)}") from error
        self.model, loading = loaded
        if missing := sorted(loading["missing_keys"]):
            raise UsageError(
                f"model {model!r} lacks {len(missing)} of its weights, which would be random: {missing[0]}; "
                "is the checkpoint whole, and its config.json its own?"
            )
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self.model.to(accelerator or "cpu").eval()
        self.devices = 1 if accelerator else 0
        self.ends = _end_tokens(self.model, self.tokenizer)
        # Whatever `generate` is not told it takes from here, such as the repetition penalty that Qwen's models ship.
        self.model.generation_config = GenerationConfig()

    @torch.no_grad()
    def sample(self, plan: Sequence[Request], done: Collection[Key], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw what of `plan` is not `done`, a batch at a time.

        Raises:
            UsageError: a prompt and the limit on new tokens together exceed the model's context, or it computes NaN.
        """
        for batch in batches(plan, done, self.batch_size):
            rows = [prompt_ids(self.tokenizer, request.prompt) for request in batch]
            self._check_context(max(map(len, rows)), decoding.max_new_tokens)
            generated = self._generate(rows, [request.seed for request in batch], decoding)
            yield [self._sample(request, ids, decoding) for request, ids in zip(batch, generated, strict=True)]

    def _generate(self, rows: list[list[int]], seeds: list[int], decoding: Decoding) -> list[list[int]]:
        """New tokens of each row, up to and with the end token that stopped it."""
        from transformers import GenerationConfig, LogitsProcessorList

        width = max(map(len, rows))
        ends = self.ends | stop_tokens(self.tokenizer, decoding)
        pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else min(ends, default=0)
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        numbers = uniforms(seeds, decoding.max_new_tokens).to(self.model.device)

        def chosen(so_far: Tensor, logits: Tensor) -> Tensor:
            tokens = draw(logits, numbers[:, so_far.shape[1] - width], decoding.temperature, decoding.top_p)
            return torch.full_like(logits, -torch.inf).scatter(-1, tokens.unsqueeze(-1), 0.0)

        output = self.model.generate(
            input_ids=ids.to(self.model.device),
            attention_mask=mask.to(self.model.device),
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=decoding.max_new_tokens,
                eos_token_id=sorted(ends) or None,
                pad_token_id=pad,
                stop_strings=list(decoding.stop) or None,
            ),
            logits_processor=LogitsProcessorList([chosen]),
            tokenizer=self.tokenizer,
        )
        return [_up_to_end(row, ends, pad) for row in output[:, width:].tolist()]

    def _sample(self, request: Request, ids: list[int], decoding: Decoding) -> Sample:
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        stops = [text.index(stop) for stop in decoding.stop if stop in text]
        ended = bool(stops) or ids[-1] in self.ends | stop_tokens(self.tokenizer, decoding)
        return Sample(request.key, text[: min(stops, default=None)], len(ids), truncated=not ended)

    def _check_context(self, prompt: int, new: int) -> None:
        context = getattr(self.model.config, "max_position_embeddings", None)
        if context is not None and prompt >= context:
            raise UsageError(
                f"a prompt of {prompt} tokens fills the model's context of {context}; leave the problem out"
            )
        if context is not None and prompt + new > context:
            raise UsageError(
                f"a prompt of {prompt} tokens and {new} new ones exceed the model's context of {context}; "
                f"set --max-new-tokens {context - prompt} or less"
            )


def load_tokenizer(model: str, revision: str | None = None) -> Any:
    """The tokenizer of a model folder or Hub model.

    Raises:
        UsageError: it cannot be loaded, or `model` looks like a folder and is none.
    """
    from transformers import AutoTokenizer

    model = model_folder(model) or model
    try:
        return AutoTokenizer.from_pretrained(model, revision=revision or "main")
    except (OSError, ValueError) as error:
        raise UsageError(f"model {model!r} cannot be loaded: {_first_line(error)}") from error


def prompt_ids(tokenizer: Any, prompt: Prompt) -> list[int]:
    """The token ids of a prompt: a text as it stands, messages by the tokenizer's chat template.

    Raises:
        UsageError: the tokenizer has no chat template, or the prompt comes to no token.
    """
    if isinstance(prompt, str):
        ids = tokenizer(prompt).input_ids
    elif tokenizer.chat_template is None:
        raise UsageError("the tokenizer has no chat template; take one that needs none: --template qwen-math or plain")
    else:  # the template writes the special tokens itself
        text = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False).input_ids
    if not ids:
        raise UsageError(f"the tokenizer makes no token of the prompt {str(prompt)[:60]!r}; is it this model's?")
    return ids


def stop_tokens(tokenizer: Any, decoding: Decoding) -> set[int]:
    """Stop texts that are one token; decoding leaves special tokens out, so that they are never seen in the text."""
    vocabulary = tokenizer.get_vocab()
    return {vocabulary[stop] for stop in decoding.stop if stop in vocabulary}


def _end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Every end token that the model's generation settings and its tokenizer name."""
    named = model.generation_config.eos_token_id
    ends = set(named if isinstance(named, list) else [named]) | {tokenizer.eos_token_id}
    return {token for token in ends if token is not None}


def _up_to_end(row: list[int], ends: set[int], pad: int) -> list[int]:
    """A row up to and with its first end token, or less the padding that follows a stop text."""
    for place, token in enumerate(row):
        if token in ends:
            return row[: place + 1]
    while len(row) > 1 and row[-1] == pad:
        row = row[:-1]
    return row


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
