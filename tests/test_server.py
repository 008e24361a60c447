"""What is tried again, what is final, and what is said of it, against a real server that fails as told."""

import pickle
import socket

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.server import OpenAIServer

BODY = {"model": "letters", "input": ["a"]}


def post(server, **options):
    return OpenAIServer(server.url, **options).post("embeddings", BODY, dict)


@pytest.mark.parametrize("fault", [503, 429, "drop", "half", "slow"], ids=str)
def test_passing_failures_are_tried_again(server, fault):
    server.fail(fault, None)
    assert [row["index"] for row in post(server, timeout=0.4)["data"]] == [0]
    assert len(server.log) == 2


def test_a_retry_after_of_hours_is_reported_instead_of_slept_on(server):
    server.fail({"status": 429, "headers": {"Retry-After": "86400"}, "body": {"error": "quota spent"}})
    with pytest.raises(UsageError, match=r"refuses the request: 429 .*quota spent"):
        post(server)
    assert len(server.log) == 1


@pytest.mark.parametrize("fault", [400, 404, {"status": 307, "headers": {"Location": "/elsewhere"}}], ids=str)
def test_other_refusals_and_redirects_are_final(server, fault):
    server.fail(fault)
    with pytest.raises(UsageError, match=r"refuses the request: (400|404|307)") as caught:
        post(server)
    assert "\n" not in str(caught.value)
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
        OpenAIServer(f"http://127.0.0.1:{port}/v1", retries=1).post("embeddings", BODY, dict)
    message = str(caught.value)
    assert message.startswith(f"no answer from http://127.0.0.1:{port}/v1/embeddings after 2 attempts: ")
    assert message.endswith("Connection refused; is the server up?")
    assert "\n" not in message


def test_a_page_is_no_answer(server):
    server.fail({"status": 200, "body": "<html>hello</html>"})
    with pytest.raises(
        UsageError, match=r"does not answer as OpenAI's API does \(JSONDecodeError: .*\); check the url"
    ):
        post(server)
    assert len(server.log) == 1


def test_the_key_comes_from_the_environment_and_is_not_kept(server, monkeypatch):
    client = OpenAIServer(server.url, key_variable="MODEL_KEY")
    with pytest.raises(UsageError, match="key variable 'MODEL_KEY' is not set; export the API key in it"):
        client.post("embeddings", BODY, dict)
    monkeypatch.setenv("MODEL_KEY", "s3cret\n")
    monkeypatch.setenv("OPENAI_API_KEY", "meant for somebody else")
    client.post("embeddings", BODY, dict)
    assert b"s3cret" not in pickle.dumps(client)
    post(server)
    assert [request["key"] for request in server.log] == ["Bearer s3cret", None]


def test_refuses_what_is_no_address():
    with pytest.raises(UsageError, match=r"url is '127.0.0.1:8000'; expected an http\(s\) address"):
        OpenAIServer("127.0.0.1:8000")
