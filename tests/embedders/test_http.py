from __future__ import annotations

import json
import pickle
import random
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from runpy import run_path
from urllib.request import Request, urlopen

import pytest
import torch
from torch.nn.functional import normalize

from dra_grpo.embedders import HttpEmbedder
from dra_grpo.errors import UsageError

TEXTS = [f"text number {i} " + "x" * (i % 7) for i in range(20)]


@pytest.fixture
def server(embedding_server):
    """The address of a running server, told of no fault yet, with the means to set faults and to read its log."""

    class Server:
        url = f"{embedding_server}/v1"

        def fail(self, *faults):
            urlopen(Request(f"{embedding_server}/faults", json.dumps(faults).encode(), method="POST")).close()

        @property
        def log(self):
            with urlopen(f"{embedding_server}/log") as response:
                return json.loads(response.read())

    server = Server()
    server.fail()
    return server


def expected(texts) -> torch.Tensor:
    embedding = run_path(str(Path(__file__).with_name("embedding_server.py")))["embedding"]
    return normalize(torch.tensor([embedding(text) for text in texts]))


@pytest.mark.parametrize("batch_size, concurrency", [(1, 1), (7, 1), (7, 4), (64, 4)])
def test_rows_in_the_order_of_the_texts(server, batch_size, concurrency):
    embedder = HttpEmbedder(server.url, "letters", batch_size=batch_size, concurrency=concurrency)
    torch.testing.assert_close(embedder.encode(TEXTS), expected(TEXTS))
    sizes = sorted(request["size"] for request in server.log)
    assert sum(sizes) == 20
    assert max(sizes) == min(batch_size, 20)
    assert not embedder.truncated.any()


@pytest.mark.parametrize("suffix", ["", "/", "/embeddings"])
def test_base_or_whole_address(server, suffix):
    HttpEmbedder(server.url + suffix, "letters").encode(["a"])
    assert [request["path"] for request in server.log] == ["/v1/embeddings"]


@pytest.mark.parametrize("fault", [503, 500, 429, "drop", "half"], ids=str)
def test_passing_failures_are_tried_again(server, fault):
    server.fail(fault, None)
    rows = HttpEmbedder(server.url, "letters").encode(["a", "b"])
    torch.testing.assert_close(rows, expected(["a", "b"]))
    first, second = server.log
    assert 0.25 <= second["time"] - first["time"] < 2  # 0.5 s, shortened by up to half


def test_a_timeout_is_tried_again(server):
    server.fail("slow", None)
    rows = HttpEmbedder(server.url, "letters", timeout=0.4).encode(["a"])
    torch.testing.assert_close(rows, expected(["a"]))
    assert len(server.log) == 2


def test_waits_double_and_leave_the_seeded_generator_alone(server):
    server.fail(503, 503, 503, None)
    before = random.getstate()
    HttpEmbedder(server.url, "letters").encode(["a"])
    assert random.getstate() == before
    times = [request["time"] for request in server.log]
    waits = [after - before for before, after in pairwise(times)]
    assert [low <= wait <= 2 * low + 5 for low, wait in zip([0.25, 0.5, 1], waits, strict=True)] == [True] * 3


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_retry_after_is_honoured(server, as_date):
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    asked = format_datetime(moment, usegmt=True) if as_date else "1.5"
    server.fail({"status": 429, "headers": {"Retry-After": asked}}, None)
    HttpEmbedder(server.url, "letters").encode(["a"])
    first, second = server.log
    if as_date:
        assert datetime.now(UTC) >= moment
    else:
        assert second["time"] - first["time"] >= 1.5


def test_a_retry_after_of_hours_is_reported_instead_of_slept_on(server):
    server.fail({"status": 429, "headers": {"Retry-After": "86400"}, "body": {"error": "quota spent"}})
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"after 1 attempts: 429 .*quota spent.*, asking for 86400 s of rest; is"):
        HttpEmbedder(server.url, "letters").encode(["a"])
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422])
def test_other_refusals_are_final(server, status):
    server.fail(status, None)
    with pytest.raises(UsageError, match=f"refuses the request: {status} .*told to fail.*with {status}") as caught:
        HttpEmbedder(server.url, "letters").encode(["a"])
    assert "\n" not in str(caught.value)
    assert len(server.log) == 1


def test_a_redirect_is_not_followed(server):
    server.fail({"status": 307, "headers": {"Location": "http://127.0.0.1:9/v1/embeddings"}})
    with pytest.raises(UsageError, match="refuses the request: 307"):
        HttpEmbedder(server.url, "letters").encode(["a"])


def test_a_server_that_stays_down_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError) as caught:
        HttpEmbedder(f"http://127.0.0.1:{port}/v1", "letters", retries=1).encode(["a"])
    message = str(caught.value)
    assert message.startswith(f"no embeddings from http://127.0.0.1:{port}/v1/embeddings after 2 attempts: ")
    assert message.endswith("Connection refused; is the server up?")
    assert "\n" not in message


@pytest.mark.parametrize(
    "body, reason",
    [
        ("<html>hello</html>", "does not answer in JSON"),
        ({"embeddings": [[1.0]]}, "does not answer as /v1/embeddings does .*KeyError: 'data'"),
        ({"data": [{"index": 0, "embedding": [1.0]}]}, r"2 texts were sent and rows \[0\] came back"),
        ({"data": [{"index": 0, "embedding": [1.0]}] * 2}, r"2 texts were sent and rows \[0, 0\] came back"),
        ({"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}, "does not answer as"),
        ({"data": [{"index": i, "embedding": [None]} for i in range(2)]}, "does not answer as"),
        ('{"data": [{"index": 0, "embedding": [NaN]}, {"index": 1, "embedding": [1]}]}', "NaN or infinity"),
    ],
    ids=["html", "other protocol", "too few", "twice", "ragged", "null", "NaN"],
)
def test_answers_of_another_kind(server, body, reason):
    server.fail({"status": 200, "body": body})
    with pytest.raises(UsageError, match=reason):
        HttpEmbedder(server.url, "letters").encode(["a", "b"])


def test_the_key_comes_from_the_environment_and_is_not_kept(server, monkeypatch):
    embedder = HttpEmbedder(server.url, "letters", key_variable="EMBEDDING_KEY")
    with pytest.raises(UsageError, match="key_variable 'EMBEDDING_KEY' is not set"):
        embedder.encode(["a"])
    monkeypatch.setenv("EMBEDDING_KEY", "s3cret")
    embedder.encode(["a"])
    assert b"s3cret" not in pickle.dumps(embedder)
    HttpEmbedder(server.url, "letters").encode(["a"])
    assert [request["key"] for request in server.log] == ["Bearer s3cret", None]


def test_max_characters_cuts_and_marks(server):
    embedder = HttpEmbedder(server.url, "letters", max_characters=5)
    rows = embedder.encode(["12345", "123456", ""])
    assert embedder.truncated.tolist() == [False, True, False]
    torch.testing.assert_close(rows[0], rows[1])
    assert max(request["longest"] for request in server.log) == 5


def test_dimensions_are_asked_for(server):
    HttpEmbedder(server.url, "letters", dimensions=8).encode(["a"])
    assert server.log[0]["dimensions"] == 8


def test_pickles(server):
    copy = pickle.loads(pickle.dumps(HttpEmbedder(server.url, "letters")))
    torch.testing.assert_close(copy.encode(TEXTS), expected(TEXTS))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"url": "127.0.0.1:8000"}, r"url is '127.0.0.1:8000'; expected an http\(s\) address"),
        ({"batch_size": 0}, "batch_size is 0, which is too small to send anything"),
        ({"retries": -1}, "retries is -1, which is too small"),
        ({"timeout": 0}, "timeout is 0, which is too small"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        HttpEmbedder(**({"url": "http://127.0.0.1/v1", "model": "letters"} | options))
