from __future__ import annotations

import random
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from dra_grpo.embedders import ChunkedEmbedder, NgramEmbedder, SentenceTransformerEmbedder
from dra_grpo.errors import UsageError

WORDS = "so first we add the three and the seven then multiply by ten and take away what is left"


def passage(words: int, seed: int = 0) -> str:
    return " ".join(random.Random(seed).choices(WORDS.split(), k=words))


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet="ab \n中", max_size=60), st.integers(1, 20), st.data())
def test_chunks_cover_the_text_within_size(text, size, data):
    overlap = data.draw(st.integers(0, size // 2))
    chunks = ChunkedEmbedder(NgramEmbedder(), size, overlap, unit="characters").chunks(text)
    assert max(map(len, chunks)) <= size
    assert chunks == [text] or all(chunks)
    joined = chunks[0] + "".join(chunk[overlap:] for chunk in chunks[1:])
    assert joined == text
    assert all(before.endswith(after[:overlap]) for before, after in pairwise(chunks))


def test_cuts_between_words():
    chunks = ChunkedEmbedder(NgramEmbedder(), size=20, unit="characters").chunks(passage(60))
    assert len(chunks) > 10
    assert set(" ".join(chunks).split()) <= set(WORDS.split())


def test_rows_are_the_length_weighted_mean_of_the_chunks():
    inner = NgramEmbedder()
    embedder = ChunkedEmbedder(inner, size=30, overlap=10, unit="characters")
    texts = [passage(40, seed) for seed in range(4)] + ["short", ""]
    expected = []
    for text in texts:
        total = torch.zeros(1024, dtype=torch.float64)
        for chunk in embedder.chunks(text):
            total += max(1, len(chunk)) * inner.encode([chunk])[0].double()
        expected.append(normalize(total, dim=0))
    torch.testing.assert_close(embedder.encode(texts).double(), torch.stack(expected), atol=1e-6, rtol=0)
    torch.testing.assert_close(embedder.encode(["short"]), inner.encode(["short"]))


def test_one_call_for_all_texts():
    class Counting(NgramEmbedder):
        calls = 0

        def embed(self, texts):
            self.calls += 1
            return super().embed(texts)

    inner = Counting()
    embedder = ChunkedEmbedder(inner, size=10, unit="characters")
    inner.calls = 0
    embedder.encode([passage(50), passage(30), "x"])
    assert inner.calls == 1


@pytest.mark.parametrize("size", [None, 30, 7])
def test_by_tokens_nothing_is_cut_and_nothing_lost(tiny_model, size):
    inner = SentenceTransformerEmbedder(tiny_model, device="cpu")
    embedder = ChunkedEmbedder(inner, size)
    assert embedder.size == (size or 30)  # 32 less [CLS] and [SEP]
    texts = [passage(60), "x" * 100, "中文 😀 \ud83d " * 20, "short", ""]
    for text in texts:
        chunks = embedder.chunks(text)
        assert "".join(chunks) == text
        assert max(len(inner.token_starts(chunk)) for chunk in chunks) <= embedder.size
    assert not embedder.embed(texts).truncated.any()
    assert inner.embed(texts).truncated.tolist() == [True, True, True, False, False]


def test_by_tokens_the_prompt_takes_its_place(tiny_model):
    inner = SentenceTransformerEmbedder(tiny_model, device="cpu", prompt="cluster: ")
    embedder = ChunkedEmbedder(inner)
    assert embedder.size == 30 - len("cluster: ")
    assert not embedder.embed([passage(60)]).truncated.any()


def test_truncated_names_texts_with_a_cut_chunk(tiny_model):
    inner = SentenceTransformerEmbedder(tiny_model, device="cpu")
    embedder = ChunkedEmbedder(inner, size=40, unit="characters")
    assert embedder.embed(["x" * 100, "short", "y" * 25]).truncated.tolist() == [True, False, False]


def test_built_by_name():
    built = ChunkedEmbedder("ngram", 30, unit="characters", embedder_options={"dimension": 64})
    by_hand = ChunkedEmbedder(NgramEmbedder(dimension=64), 30, unit="characters")
    assert torch.equal(built.encode([passage(30)]), by_hand.encode([passage(30)]))
    with pytest.raises(UsageError, match="unknown embedder 'ngrams'; did you mean 'ngram'"):
        ChunkedEmbedder("ngrams", 30, unit="characters")
    with pytest.raises(UsageError, match="embedder_options go with an embedder's name; 'ngram' is built already"):
        ChunkedEmbedder(NgramEmbedder(), 30, unit="characters", embedder_options={"dimension": 64})


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "embedder 'ngram' has no limit in tokens; leave out the chunks, or pass unit='characters'"),
        ({"unit": "characters"}, "size is None; expected the longest chunk, 1 to inf characters"),
        ({"unit": "characters", "size": 10, "overlap": 6}, "overlap is 6; expected 0 to 5, half of size 10"),
        ({"unit": "words", "size": 10}, "unit is 'words'; expected 'tokens' or 'characters'"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        ChunkedEmbedder(NgramEmbedder(), **options)


def test_refuses_sizes_the_encoder_does_not_have(tiny_model, encoders):
    with pytest.raises(UsageError, match="size is 31; expected the longest chunk, 1 to 30 tokens"):
        ChunkedEmbedder(SentenceTransformerEmbedder(tiny_model, device="cpu"), size=31)
    with pytest.raises(UsageError, match="embedder 'static' has no limit in tokens; leave out the chunks"):
        ChunkedEmbedder(encoders("static"))
