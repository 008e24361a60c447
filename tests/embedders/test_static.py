import pytest
import torch
from torch.nn.functional import normalize

from dra_grpo.embedders import SentenceTransformerEmbedder, StaticEmbedder

TEXTS = ["2 + 2 = 4", "a", "a longer text than eight tokens", "🙂", "4 = 2 + 2"]


def averaged(folder: str, text: str) -> torch.Tensor:
    """Σ vector over the tokens, one by one."""
    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    (table,) = load_file(f"{folder}/model.safetensors").values()
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    total = torch.zeros(16, dtype=torch.float64)
    for token in tokenizer.encode(text, add_special_tokens=False).ids:
        total += table[token].double()
    return normalize(total, dim=0)


def test_equals_a_plain_average_of_token_vectors(static_model):
    rows = StaticEmbedder(static_model).encode(TEXTS)
    expected = torch.stack([averaged(static_model, text) for text in TEXTS])
    torch.testing.assert_close(rows.double(), expected, atol=1e-6, rtol=0)


def test_the_tokenizer_s_own_limit_is_lifted(static_model):
    embedder = StaticEmbedder(static_model, batch_size=2)
    rows, truncated = embedder.embed(["12345678" + "a", "12345678" + "b"])
    assert not torch.allclose(rows[0], rows[1])
    assert truncated.tolist() == [False, False]


def test_a_static_model_under_the_general_name_is_not_cut_either(static_model):
    rows = SentenceTransformerEmbedder(static_model, device="cpu").encode(["x" * 8 + "a", "x" * 8 + "b"])
    assert not torch.allclose(rows[0], rows[1])
    with pytest.raises(AttributeError, match="'max_seq_length' of 'StaticEmbedding' object has no setter"):
        SentenceTransformerEmbedder(static_model, device="cpu", max_length=8)
