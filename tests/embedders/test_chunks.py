import random
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings, strategies as st
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


def test_cuts_between_words_and_embeds_all_in_one_call():
    asked = []

    def lengths(texts):
        asked.append(texts)
        return [[len(text), 1.0] for text in texts]

    embedder = ChunkedEmbedder(lengths, size=20, unit="characters")
    embedder.encode([passage(60), "x"])
    _, chunks = asked
    assert len(chunks) > 10
    assert set(" ".join(chunks).split()) <= {*WORDS.split(), "x"}


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
    assert not ChunkedEmbedder(inner).embed([passage(60)]).truncated.any()
    by_characters = ChunkedEmbedder(inner, size=40, unit="characters")  # a cut chunk makes a cut text
    assert by_characters.embed(["x" * 100, "short"]).truncated.tolist() == [True, False]


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "embedder 'ngram' has no limit in tokens; leave chunks out, or unit=characters"),
        ({"unit": "characters"}, "size is None, overlap 0; expected 1 to inf characters"),
        ({"unit": "characters", "size": 10, "overlap": 6}, "size is 10, overlap 6; .* at most half of it"),
        ({"unit": "words", "size": 10}, "'words'"),
    ],
)
def test_refuses(options, message):
    with pytest.raises((UsageError, KeyError), match=message):
        ChunkedEmbedder(NgramEmbedder(), **options)


def test_refuses_sizes_the_encoder_does_not_have(encoders):
    with pytest.raises(UsageError, match="size is 31, overlap 0; expected 1 to 30 tokens"):
        ChunkedEmbedder(encoders("sentence-transformer"), size=31)
    with pytest.raises(UsageError, match="embedder 'static' has no limit in tokens; leave chunks out"):
        ChunkedEmbedder(encoders("static"))
