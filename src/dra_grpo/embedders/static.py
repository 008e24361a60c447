"""Static embeddings: one stored vector a token, averaged. A table look-up, so a thousand texts take milliseconds."""

from __future__ import annotations

from typing import Any

from dra_grpo.embedders.sentence_transformer import SentenceTransformerEmbedder
from dra_grpo.errors import UsageError


class StaticEmbedder(SentenceTransformerEmbedder):
    """Averaged token vectors of a model2vec or sentence-transformers static model; word order is not seen.

    No text is ever cut: such a model has no positions to run out of, and the 512 tokens at which model2vec stops by
    default are lifted, as they would hide how long answers end.

    Args:
        model: a folder or a Hub name.
        batch_size: texts looked up at once.
        revision: branch, tag or commit on the Hub.

    Raises:
        UsageError: the model is nowhere to be found, or is not a static one.
        MissingExtra: sentence-transformers is not installed (model2vec is not needed).
    """

    name = "static"

    def __init__(
        self,
        model: str = "minishlab/potion-base-8M",
        batch_size: int = 1024,
        revision: str | None = None,
    ):
        # The CPU: moving ids to an accelerator costs more than the look-up.
        super().__init__(model, device="cpu", batch_size=batch_size, revision=revision)

    def _load(self, model: str, **options: Any) -> Any:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding
        from sentence_transformers.util import is_sentence_transformer_model

        if is_sentence_transformer_model(model, revision=options["revision"]):
            loaded = super()._load(model, **options)
        else:  # what model2vec saved before it wrote modules.json
            table = StaticEmbedding.load(model, revision=options["revision"])
            loaded = SentenceTransformer(modules=[table], device=options["device"])
        if not isinstance(loaded[0], StaticEmbedding):
            raise UsageError(f"model {model!r} is not a static one; use the embedder 'sentence-transformer' for it")
        return loaded
