"""What every text embedder must do; a new one joins by a line in `NAMES` and in the fixture `encoders`."""

import pytest
import torch

from dra_grpo.embedders import CachedEmbedder, ChunkedEmbedder, Embedder

NAMES = ["ngram", "sentence-transformer", "static", "http", "chunked", "function"]
UNLIMITED = {"ngram", "static", "http", "chunked", "function"}
PLAIN = ["2 + 2 = 4", "", "The answer is 12.", "2 + 2 = 4", "(3 + 5) * 2", "x", "a longer line of reasoning"]
ODD = ["naïve 中文 é", "🙂🙃 👩‍👩‍👧", "tab\tnew\nline\r\n", "\x00\x07\x1b", "\ud83d half a pair \ude00"]
ODD += ["\u202e\ufeff", "   "]
LONG = ["word " * 300, "9 " * 300, "short"]


@pytest.fixture(
    params=[(name, cached) for name in NAMES for cached in (False, True)], ids=lambda p: f"{p[0]}{'-cached' * p[1]}"
)
def embedder(request, encoders):
    name, cached = request.param
    encoder = encoders(name)
    return CachedEmbedder(encoder, size=8) if cached else encoder


# Not those with a tokenizer, which makes its tensors there: they cannot be moved from 'meta', as they can from 'cuda'.
@pytest.mark.parametrize("name", ["ngram", "http", "chunked"])
def test_torchs_default_device_does_not_matter(name, encoders):
    embedder = ChunkedEmbedder("ngram", 10, unit="characters") if name == "chunked" else encoders(name)
    expected = embedder.encode(PLAIN)
    with torch.device("meta"):
        cached = CachedEmbedder(embedder, size=8)
        assert torch.equal(embedder.encode(PLAIN), expected)
        assert torch.equal(cached.encode(PLAIN), expected)
        assert embedder.encode([]).device == expected.device
        assert cached.embed(PLAIN).truncated.device == embedder.embed(PLAIN).truncated.device == torch.device("cpu")


@pytest.mark.parametrize("texts", [PLAIN, ODD, LONG], ids=["plain", "odd", "long"])
def test_rows_are_float32_of_unit_norm(embedder, texts):
    assert isinstance(embedder, Embedder)
    rows, truncated = embedder.embed(texts)
    assert rows.dtype == torch.float32
    assert rows.shape[0] == len(texts)
    assert not rows.requires_grad
    assert rows.norm(dim=1).tolist() == pytest.approx([1.0] * len(texts), abs=1e-5)
    assert truncated.dtype == torch.bool
    assert truncated.shape == (len(texts),)


def test_no_texts(embedder):
    dimension = embedder.encode(["x"]).shape[1]
    assert embedder.encode([]).shape == (0, dimension)
    assert embedder.encode([]).dtype == torch.float32
    assert embedder.embed([]).truncated.shape == (0,)


def test_a_row_depends_on_its_text_alone(embedder):
    texts = PLAIN + ODD + LONG
    together = embedder.encode(texts)
    alone = torch.cat([embedder.encode([text]) for text in texts])
    torch.testing.assert_close(together, alone, atol=2e-6, rtol=0)


def test_duplicates_are_equal_and_different_texts_are_not(embedder):
    rows = embedder.encode(PLAIN)
    similarity = rows @ rows.T
    assert similarity[0, 3] == pytest.approx(1, abs=1e-5)
    assert similarity[0, 2] < 0.99
    assert similarity[1, 0] < 0.99  # the empty text is like no other


def test_truncated_marks_long_texts_only(embedder):
    limited = embedder.name not in UNLIMITED
    assert embedder.embed(PLAIN[:5] + LONG).truncated.tolist() == [False] * 5 + [limited, limited, False]


def test_a_difference_behind_the_limit_is_seen_unless_truncated(embedder):
    opening = "we add the numbers one by one " * 100
    rows, truncated = embedder.embed([opening + "and get 12", opening + "but that fails, so we multiply"])
    assert bool(truncated.all()) == torch.allclose(rows[0], rows[1], atol=1e-6)


def test_gradients_stay_on_for_the_caller(embedder):
    weight = torch.ones(len(PLAIN), requires_grad=True)
    (weight @ embedder.encode(PLAIN)).sum().backward()  # rows made in inference mode would be refused here
    assert weight.grad is not None
