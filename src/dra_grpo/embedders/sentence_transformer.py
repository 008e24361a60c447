"""Any sentence-transformers model, from a folder or from the Hub."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dra_grpo.completions import encodable
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError, require
from dra_grpo.hub import check_model

INSTEAD = ", or choose --embedder minilm or --embedder ngram, which download nothing"


class SentenceTransformerEmbedder(Embedder):
    """Sentence embeddings, in evaluation mode and without gradients.

    Texts are batched by length, so one long text does not pad a whole batch; `truncated` is read off the
    tokenization that is done anyway.

    Args:
        model: a folder or a Hub name.
        device: where the model runs; None takes the accelerator where there is one.
        batch_size: texts a forward.
        max_length: tokens after which a text is cut, special ones included; None keeps the model's own limit.
        prompt: put before every text; None takes the model's default prompt, mostly none.
        revision: branch, tag or commit on the Hub.
        trust_remote_code: run Python code that comes with the model. Only for models whose code you have read.
        model_kwargs: passed on to the transformers model, such as `{"dtype": torch.bfloat16}`.

    Raises:
        UsageError: the model is nowhere to be found, needs code that is not trusted, or has fewer positions than
            `max_length`; or there is no such `device`.
        MissingExtra: sentence-transformers is not installed.
    """

    name = "sentence-transformer"

    def __init__(
        self,
        model: str = "ibm-granite/granite-embedding-small-english-r2",
        device: str | torch.device | None = None,
        batch_size: int = 64,
        max_length: int | None = None,
        prompt: str | None = None,
        revision: str | None = None,
        trust_remote_code: bool = False,
        model_kwargs: dict[str, Any] | None = None,
    ):
        require("sentence_transformers", "embed", f"the embedder {self.name!r}")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UsageError(f"batch_size is {batch_size!r}; expected at least 1")
        if device is not None:
            _check_device(device)
        cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
        check_model(model, revision, "sentence-transformers", cache, INSTEAD)
        self.batch_size = batch_size
        self.model = self._load(
            model,
            device=None if device is None else str(device),
            revision=revision,
            trust_remote_code=trust_remote_code,
            model_kwargs=model_kwargs,
        )
        self.model.eval().requires_grad_(False)
        if self.model.max_seq_length == math.inf and hasattr(self.model.tokenizer, "no_truncation"):
            self.model.tokenizer.no_truncation()  # a static model has no positions: model2vec cuts at 512 to save time
        if max_length is not None:
            self._limit(max_length)
        self.prompt = prompt if prompt is not None else self.model.prompts.get(self.model.default_prompt_name)

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            Rows on the model's device (0 where the tokenizer finds no token at all), and which texts were cut.
        """
        texts = encodable(texts)
        truncated = torch.zeros(len(texts), dtype=torch.bool, device="cpu")
        embeddings = torch.zeros(len(texts), self.model.get_embedding_dimension(), device=self.model.device)
        by_length = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
        for start in range(0, len(texts), self.batch_size):
            rows = by_length[start : start + self.batch_size]
            features = self.model.preprocess([texts[row] for row in rows], prompt=self.prompt)
            truncated[rows] = self._cut(features, [texts[row] for row in rows])
            if features["input_ids"].numel() > 0:
                embeddings[rows] = self._forward(features)
        return Embedded(normalize(embeddings), truncated)

    @property
    def token_limit(self) -> int | None:
        """Tokens of a text that the model reads, special tokens and prompt taken off; None if any number."""
        limit = self.model.max_seq_length
        if limit is None or limit == math.inf:
            return None
        return limit - len(self.model.tokenizer(self.prompt or "")["input_ids"])

    def token_starts(self, text: str) -> list[int]:
        """Where each token of the whole text starts, in characters; nothing is cut.

        Raises:
            UsageError: the model's tokenizer is written in Python, which keeps no record of it.
        """
        tokenizer = self.model.tokenizer
        if not getattr(tokenizer, "is_fast", False):
            raise UsageError(f"{type(tokenizer).__name__} does not tell where tokens start; use unit='characters'")
        (text,) = encodable([text])
        options = {"add_special_tokens": False, "truncation": False, "verbose": False}
        return [start for start, _ in tokenizer(text, return_offsets_mapping=True, **options)["offset_mapping"]]

    @torch.no_grad()  # not inference_mode, whose tensors autograd refuses to save later
    def _forward(self, features: Any) -> Tensor:
        from sentence_transformers.util import batch_to_device

        embeddings = self.model(batch_to_device(features, self.model.device))["sentence_embedding"].float()
        if "attention_mask" not in features:
            return embeddings
        return embeddings.masked_fill(~features["attention_mask"].any(dim=1, keepdim=True), 0)

    def _cut(self, features: Any, texts: list[str]) -> Tensor:
        """Which of the batch's texts lost tokens, bool (len(texts),)."""
        if hasattr(features, "encodings") and features.encodings is not None:
            return torch.tensor([bool(encoding.overflowing) for encoding in features.encodings], device="cpu")
        limit = self.model.max_seq_length
        if limit is None or limit == math.inf:
            return torch.zeros(len(texts), dtype=torch.bool, device="cpu")
        # Tokenizers written in Python do not keep what they cut: only these are asked a second time.
        whole = self.model.tokenizer([(self.prompt or "") + text for text in texts], truncation=False)
        return torch.tensor([len(ids) > limit for ids in whole["input_ids"]], device="cpu")

    def _limit(self, max_length: int) -> None:
        if self.model.max_seq_length == math.inf:
            raise UsageError(f"max_length is {max_length}, but a static model reads texts of any length; leave it out")
        positions = getattr(self.model.config, "max_position_embeddings", None) or math.inf
        if not 0 < max_length <= positions:
            raise UsageError(f"max_length is {max_length}; expected 1 to {positions}, the positions this model has")
        self.model.max_seq_length = max_length

    def _load(self, model: str, trust_remote_code: bool, **options: Any) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(model, trust_remote_code=trust_remote_code, **options)
        except ValueError as error:
            if trust_remote_code or "trust_remote_code" not in str(error):
                raise
            raise UsageError(
                f"model {model!r} comes with Python code of its own; read it, then pass trust_remote_code=True"
            ) from error


def _check_device(device: str | torch.device) -> None:
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # the latter where torch was built without CUDA
        reason = str(error).partition("\n")[0][:120]
        raise UsageError(
            f"device is {str(device)!r}, which cannot be used ({reason}); leave it out, or 'cpu'"
        ) from error
