"""A client of servers that speak OpenAI's API, such as vLLM and TEI."""

import json
import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from dra_grpo.errors import UsageError, one_line, require

T = TypeVar("T")


class OpenAIServer:
    """Posts JSON, and tries again while that can help.

    The client is openai's: connection errors, timeouts, 408, 409, 429 and 5xx are tried again after 0.5, 1, 2, … up to
    8 seconds, or after what the server's `Retry-After` says. A server that asks for more than two minutes, any other
    4xx and redirects are final, so the key goes to no other address.

    Args:
        url: the server's base, such as `http://127.0.0.1:8000/v1`.
        timeout: seconds without an answer after which a request is tried again.
        retries: attempts after the first.
        key_variable: environment variable that holds the API key, read at each call and never stored; None sends none.

    Raises:
        UsageError: `url` is no http(s) address.
        MissingExtra: openai is not installed.
    """

    def __init__(self, url: str, timeout: float = 60.0, retries: int = 6, key_variable: str | None = None):
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"url is {url!r}; expected an http(s) address such as 'http://127.0.0.1:8000/v1'")
        require("openai", "server", f"the server at {url}")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.retries = retries
        self.key_variable = key_variable

    def post(self, path: str, body: dict[str, Any], read: Callable[[Any], T]) -> T:
        """What `read` makes of the answer of `url`/`path` to `body`, however many attempts it takes.

        Args:
            path: of the API, without a slash before it.
            body: what is posted as JSON.
            read: from the parsed answer to what is wanted of it; what it stumbles over is no answer of this API.

        Raises:
            UsageError: the key is not set, the server stays unreachable, refuses, or does not answer as the API does.
        """
        from openai import APIConnectionError, APIStatusError

        place, client = f"{self.url}/{path}", _client(self.url, self.timeout, self.retries)
        options = {"headers": self.headers(), "follow_redirects": False}
        try:
            return read(json.loads(client.post(f"/{path}", cast_to=str, body=body, options=options)))
        except APIStatusError as error:
            said = f"{error.status_code} {one_line(error.response.text, 200)}"
            raise UsageError(f"{place} refuses the request: {said}") from error
        except APIConnectionError as error:
            said = f"{one_line(str(error.__cause__) or error, 200)}; is the server up?"
            raise UsageError(f"no answer from {place} after {self.retries + 1} attempts: {said}") from error
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            said = one_line(f"{type(error).__name__}: {error}", 200)
            raise UsageError(f"{place} does not answer as OpenAI's API does ({said}); check the url") from error

    def headers(self) -> dict[str, Any]:
        """The key as a header, or the wish that none be sent.

        Raises:
            UsageError: the key's variable is not set.
        """
        from openai import Omit

        if self.key_variable is None:
            return {"Authorization": Omit()}
        key = os.environ.get(self.key_variable, "").strip()  # mounted secrets end in a newline
        if not key:
            raise UsageError(f"key variable {self.key_variable!r} is not set; export the API key in it")
        return {"Authorization": f"Bearer {key}"}


@cache  # a client keeps its connections; it is not part of an `OpenAIServer`, which can be pickled
def _client(url: str, timeout: float, retries: int) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=url, timeout=timeout, max_retries=retries, api_key="each request brings its own")
