"""Whatever can be an embedder, and what is said of what cannot."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from dra_grpo.embedders import CachedEmbedder, Embedded, NgramEmbedder, PolicyEmbedder, as_embedder
from dra_grpo.errors import UsageError

TEXTS = ["2 + 2", "", "2 + 2 = 4"]
ROWS = torch.tensor([[3.0, 4.0], [1.0, 0.0], [-1e30, 1e30]])
UNIT = torch.tensor([[0.6, 0.8], [1.0, 0.0], [-(0.5**0.5), 0.5**0.5]])


def lookup(texts):
    table = dict(zip(TEXTS, ROWS, strict=True))
    return torch.stack([table.get(text, torch.ones(2)) for text in texts])


FORMS = {
    "tensor": lookup,
    "numpy array": lambda texts: lookup(texts).numpy(),
    "list of lists": lambda texts: lookup(texts).tolist(),
    "list of arrays": lambda texts: list(lookup(texts).numpy()),
    "float64": lambda texts: lookup(texts).double(),
    "with gradient": lambda texts: lookup(texts).requires_grad_(),
    "Embedded": lambda texts: Embedded(lookup(texts), torch.ones(len(texts), dtype=torch.bool)),
}


@pytest.mark.parametrize("form", FORMS)
def test_functions(form):
    rows, truncated = as_embedder(FORMS[form]).embed(TEXTS)
    torch.testing.assert_close(rows, UNIT)
    assert not rows.requires_grad
    assert truncated.tolist() == [form == "Embedded"] * 3


def test_objects():
    class Own:
        name = "mine"

        def embed(self, texts):
            return Embedded(lookup(texts), torch.zeros(len(texts), dtype=torch.bool))

    built = as_embedder(Own())
    torch.testing.assert_close(built.encode(TEXTS), UNIT)
    assert built.name == "mine"
    ours = NgramEmbedder()
    assert as_embedder(ours) is ours


def test_a_sentence_transformer_itself(tiny_model):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(tiny_model, device="cpu")
    expected = normalize(torch.from_numpy(model.encode(TEXTS)))
    torch.testing.assert_close(as_embedder(model).encode(TEXTS), expected, atol=1e-6, rtol=0)


def test_names_are_cached_where_that_pays(tiny_model):
    assert isinstance(as_embedder("ngram", {"dimension": 64}), NgramEmbedder)
    assert isinstance(as_embedder("policy"), PolicyEmbedder)
    built = as_embedder("sentence_transformer", {"model": tiny_model}, device="cpu")
    assert isinstance(built, CachedEmbedder)
    assert built.embedder.model.device == torch.device("cpu")


def test_the_device_reaches_the_encoder_inside_the_chunks(tiny_model):
    options = {"embedder": "sentence-transformer", "embedder_options": {"model": tiny_model}}
    assert as_embedder("chunked", options, device="cpu").embedder.embedder.model.device == torch.device("cpu")
    with pytest.raises(UsageError, match="Invalid device string: 'meta:a'"):
        as_embedder("chunked", options, device="meta:a")


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda texts: lookup(texts[1:]), r"torch.float32 of shape \(1, 2\) for 2 texts; expected a row of floats"),
        (lambda texts: np.zeros(len(texts)), r"float64 of shape \(2,\) for 2 texts"),
        (lambda texts: 1.0, r"of shape \(\) for 2 texts"),
        (lambda texts: torch.zeros(len(texts), 3, 2), r"of shape \(2, 3, 2\) for 2 texts"),
        (lambda texts: torch.zeros(len(texts), 0), r"of shape \(2, 0\) for 2 texts"),
        (lambda texts: torch.zeros(len(texts), 2, dtype=torch.cfloat), "gives torch.complex64"),
        (lambda texts: [[float("nan"), 1.0] for _ in texts], "gives NaN or infinity for"),
        (lambda texts: [[float("inf"), 1.0] for _ in texts], "gives NaN or infinity for"),
    ],
)
def test_what_gives_no_rows_is_one_line(function, message):
    with pytest.raises(UsageError, match=message) as caught:
        as_embedder(function)
    assert f"embedder {function.__name__!r} gives" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "embedder, options, message",
    [
        (None, None, "embedder is None; expected a name, an object with encode, or a function of texts"),
        (3, None, "embedder is 3; expected"),
        (NgramEmbedder, None, "embedder is <class .*NgramEmbedder'>; expected"),
        ("ngrma", None, "unknown embedder 'ngrma'; did you mean 'ngram'"),
        ("ngram", {"orders_": 3}, "embedder 'ngram' refuses embedder_options {'orders_': 3}: .* got an unexpected"),
        ("http", None, "embedder 'http' refuses embedder_options {}: .* missing 2 required .* 'url' and 'model'"),
        ("policy", {"batch_size": 0}, "embedder 'policy' got batch_size=0; expected 1 or more"),
        ("http", {"url": "here", "model": "x"}, "url is 'here'; expected an http"),
        (lookup, {"dimension": 64}, "embedder_options go with an embedder's name; 'lookup' is built already"),
    ],
)
def test_what_is_no_embedder_is_refused(embedder, options, message):
    with pytest.raises(UsageError, match=message):
        as_embedder(embedder, options)


@pytest.mark.parametrize("options", [{"device": "gpu"}, {"device": "cuda:99"}, {"model_kwargs": {"dtype": "float3"}}])
def test_what_a_library_refuses_is_one_line(tiny_model, options):
    with pytest.raises(UsageError, match=r"embedder 'sentence-transformer' refuses embedder_options {") as caught:
        as_embedder("sentence-transformer", {"model": tiny_model, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", [lambda texts: 1 / 0, lambda texts: [[1.0], [1.0, 2.0]], lambda texts: texts])
def test_an_error_of_the_function_keeps_its_kind_and_says_when(broken):
    with pytest.raises((ArithmeticError, RuntimeError, TypeError)) as caught:
        as_embedder(broken)
    assert caught.value.__notes__ == ["raised when embedder '<lambda>' was tried on two texts"]


def test_a_class_of_ones_own_is_tried_like_a_function():
    class Mine(NgramEmbedder):
        name = "mine"

        def embed(self, texts):
            return super().embed(texts[:1])

    with pytest.raises(UsageError, match=r"embedder 'mine' gives torch.float32 of shape \(1, 1024\) for 2 texts"):
        as_embedder(Mine())
