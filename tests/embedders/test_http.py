from pathlib import Path
from runpy import run_path

import pytest
import torch
from torch.nn.functional import normalize

from dra_grpo.embedders import HttpEmbedder
from dra_grpo.errors import UsageError

TEXTS = [f"text number {i} " + "x" * (i % 7) for i in range(20)]


def expected(texts) -> torch.Tensor:
    embedding = run_path(str(Path(__file__).parents[1] / "model_server.py"))["embedding"]
    return normalize(torch.tensor([embedding(text) for text in texts]))


@pytest.mark.parametrize("batch_size, concurrency", [(1, 1), (7, 1), (7, 4), (64, 4)])
def test_rows_in_the_order_of_the_texts(server, batch_size, concurrency):
    embedder = HttpEmbedder(server.url, "letters", batch_size=batch_size, concurrency=concurrency)
    rows, truncated = embedder.embed(TEXTS)
    torch.testing.assert_close(rows, expected(TEXTS))
    sizes = sorted(len(request["input"]) for request in server.log)
    assert sum(sizes) == 20
    assert max(sizes) == min(batch_size, 20)
    assert not truncated.any()


@pytest.mark.parametrize("suffix", ["", "/", "/embeddings"])
def test_base_or_whole_address(server, suffix):
    HttpEmbedder(server.url + suffix, "letters").encode(["a"])
    assert [request["path"] for request in server.log] == ["/v1/embeddings"]


def test_a_passing_failure_costs_no_row(server):
    server.fail(503, "half")
    embedder = HttpEmbedder(server.url, "letters", batch_size=7, concurrency=2)
    torch.testing.assert_close(embedder.encode(TEXTS), expected(TEXTS))
    assert sorted(len(request["input"]) for request in server.log)[-2:] == [7, 7]
    assert len(server.log) == 5


@pytest.mark.parametrize("index", [{}, {"index": None}], ids=["left out", "null"])
def test_rows_without_an_index_are_in_the_order_of_the_texts(server, index):
    data = [{"embedding": row, **index} for row in ([1.0, 0.0], [0.0, 1.0], [0.6, 0.8])]
    server.fail({"status": 200, "body": {"data": data}})
    rows = HttpEmbedder(server.url, "letters").encode(["a", "b", "c"])
    torch.testing.assert_close(rows, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))


@pytest.mark.parametrize(
    "body, reason",
    [
        ({"embeddings": [[1.0]]}, "does not answer as OpenAI's API does .*KeyError: 'data'"),
        ({"data": [{"index": 0, "embedding": [1.0]}]}, r"2 texts were sent and rows \[0\] came back"),
        ({"data": [{"embedding": [1.0]}]}, r"2 texts were sent and rows \[0\] came back"),
        ({"data": [[1.0], [1.0]]}, "does not answer as OpenAI's API does .*AttributeError"),
        ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, r"2 texts were sent and rows \[0, 0\] came back"),
        ({"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}, "does not answer as"),
        ({"data": [{"index": i, "embedding": [None]} for i in range(2)]}, "does not answer as"),
    ],
    ids=["other protocol", "too few", "too few without index", "plain lists", "twice", "ragged", "null"],
)
def test_answers_of_another_kind(server, body, reason):
    server.fail({"status": 200, "body": body})
    with pytest.raises(UsageError, match=reason):
        HttpEmbedder(server.url, "letters").encode(["a", "b"])


def test_max_characters_cuts_and_marks(server):
    embedder = HttpEmbedder(server.url, "letters", max_characters=5)
    rows, truncated = embedder.embed(["12345", "123456", ""])
    assert truncated.tolist() == [False, True, False]
    torch.testing.assert_close(rows[0], rows[1])
    assert max(len(text) for request in server.log for text in request["input"]) == 5
