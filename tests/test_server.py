"""What is tried again, what is final, and what is said of it, against a real server that fails as told."""

import pickle
import socket
import time

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.server import OpenAIServer

BODY = {"model": "letters", "input": ["a"]}


def post(server, **options):
    return OpenAIServer(server.url, **options).post("embeddings", BODY)


@pytest.mark.parametrize("fault", [503, 500, 429, "drop", "half"], ids=str)
def test_passing_failures_are_tried_again(server, fault):
    server.fail(fault, None)
    assert [row["index"] for row in post(server)["data"]] == [0]
    first, second = server.log
    assert 0.3 <= second["time"] - first["time"] < 2  # 0.5 s, shortened by up to a quarter


def test_a_timeout_is_tried_again(server):
    server.fail("slow", None)
    assert post(server, timeout=0.4)["data"]
    assert len(server.log) == 2


def test_retry_after_is_honoured(server):
    server.fail({"status": 429, "headers": {"Retry-After": "1"}}, None)
    post(server)
    first, second = server.log
    assert second["time"] - first["time"] >= 1


def test_a_retry_after_of_hours_is_reported_instead_of_slept_on(server):
    server.fail({"status": 429, "headers": {"Retry-After": "86400"}, "body": {"error": "quota spent"}})
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"refuses the request: 429 .*quota spent"):
        post(server)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize("status", [400, 401, 404])
def test_other_refusals_are_final(server, status):
    server.fail(status)
    with pytest.raises(UsageError, match=f"refuses the request: {status} .*told to fail.*with {status}") as caught:
        post(server)
    assert "\n" not in str(caught.value)
    assert len(server.log) == 1


def test_a_redirect_is_not_followed(server):
    server.fail({"status": 307, "headers": {"Location": f"{server.url}/elsewhere"}})
    with pytest.raises(UsageError, match="refuses the request: 307"):
        post(server)
    assert len(server.log) == 1


def test_a_failure_that_stays_is_one_line(server):
    server.fail(503, {"status": 503, "body": "<html>\nout of memory"})
    with pytest.raises(UsageError, match=r"/v1/embeddings refuses the request: 503 <html> out of memory$"):
        post(server, retries=1)
    assert len(server.log) == 2


def test_a_server_that_stays_down_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UsageError) as caught:
        OpenAIServer(f"http://127.0.0.1:{port}/v1", retries=1).post("embeddings", BODY)
    message = str(caught.value)
    assert message.startswith(f"no answer from http://127.0.0.1:{port}/v1/embeddings after 2 attempts: ")
    assert message.endswith("Connection refused; is the server up?")
    assert "\n" not in message


def test_a_page_is_no_answer(server):
    server.fail({"status": 200, "body": "<html>hello</html>"})
    with pytest.raises(UsageError, match="does not answer in JSON; check the url"):
        post(server)
    assert len(server.log) == 1


def test_the_key_comes_from_the_environment_and_is_not_kept(server, monkeypatch):
    client = OpenAIServer(server.url, key_variable="MODEL_KEY")
    with pytest.raises(UsageError, match="key variable 'MODEL_KEY' is not set; export the API key in it"):
        client.post("embeddings", BODY)
    monkeypatch.setenv("MODEL_KEY", "s3cret\n")
    monkeypatch.setenv("OPENAI_API_KEY", "meant for somebody else")
    client.post("embeddings", BODY)
    assert b"s3cret" not in pickle.dumps(client)
    post(server)
    assert [request["key"] for request in server.log] == ["Bearer s3cret", None]


@pytest.mark.parametrize("end", ["", "/"])
def test_a_slash_at_the_end_does_not_matter(server, end):
    OpenAIServer(server.url + end).post("embeddings", BODY)
    assert [request["path"] for request in server.log] == ["/v1/embeddings"]


def test_refuses_what_is_no_address():
    with pytest.raises(UsageError, match=r"url is '127.0.0.1:8000'; expected an http\(s\) address"):
        OpenAIServer("127.0.0.1:8000")
