"""Sampling from a server that speaks OpenAI's API, such as `vllm serve`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.sampler import Decoding, Key, Request, Sample
from dra_grpo.server import OpenAIServer


class ServerSampler:
    """One request a sample: `/v1/chat/completions` for messages, `/v1/completions` for texts.

    A sample that came is never asked for again; `OpenAIServer` says which failures are passing. Seeds are sent;
    whether they are heeded is the server's affair.

    Args:
        url: the server's base, such as `http://127.0.0.1:8000/v1`.
        model: the model's name there.
        concurrency: requests in flight.
        timeout: seconds without an answer after which a request is tried again.
        retries: attempts after the first.
        key_variable: environment variable that holds the API key; None sends none.
        devices: accelerators that the server keeps busy, for the bill.

    Raises:
        UsageError: `url` is no http(s) address, a number is out of range, or the key's variable is not set; when
            sampling: the server stays unreachable, refuses a request, or does not answer as that API does.
    """

    def __init__(
        self,
        url: str,
        model: str,
        concurrency: int = 32,
        timeout: float = 3600.0,
        retries: int = 6,
        key_variable: str | None = None,
        devices: int = 0,
    ):
        if concurrency < 1:
            raise UsageError(f"concurrency is {concurrency}, expected at least 1 request in flight")
        self.server = OpenAIServer(url, timeout, retries, key_variable)
        self.server.headers()  # a key that is not set is better said now than by every thread
        self.model = model
        self.concurrency = concurrency
        self.devices = devices

    def sample(self, plan: Sequence[Request], done: Collection[Key], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw what of `plan` is not `done`, several at a time, yielding each as it comes."""
        waiting: SimpleQueue[Request] = SimpleQueue()
        for request in plan:
            if request.key not in done:
                waiting.put(request)
        count = waiting.qsize()
        came: SimpleQueue[Sample | BaseException] = SimpleQueue()
        enough = Event()

        def work() -> None:
            while not enough.is_set():
                try:
                    came.put(self._draw(waiting.get_nowait(), decoding))
                except Empty:
                    return
                except BaseException as error:
                    came.put(error)

        try:
            # Daemons: whoever stops the evaluation does not wait for answers that are still being written.
            for _ in range(min(self.concurrency, count)):
                Thread(target=work, daemon=True).start()
            while count:
                outcomes = [came.get()]
                while not came.empty():
                    outcomes.append(came.get())
                count -= len(outcomes)
                samples = [outcome for outcome in outcomes if isinstance(outcome, Sample)]
                if samples:
                    yield samples
                for outcome in outcomes:
                    if isinstance(outcome, BaseException):
                        raise outcome
        finally:
            enough.set()

    def _draw(self, request: Request, decoding: Decoding) -> Sample:
        chat = not isinstance(request.prompt, str)
        body = {
            "model": self.model,
            "messages" if chat else "prompt": request.prompt,
            "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "seed": request.seed,
            "n": 1,
        }
        if decoding.stop:  # vLLM looks for them in the text, from which it takes special tokens unless told not to
            body |= {"stop": list(decoding.stop), "skip_special_tokens": False}
        path = "chat/completions" if chat else "completions"
        answer = self.server.post(path, body)
        try:
            choice = answer["choices"][0]
            text = _message_text(choice["message"]) if chat else choice["text"]
            if not isinstance(text, str):
                raise TypeError(f"the text is {text!r}")
            return Sample(
                request.key, text, int(answer["usage"]["completion_tokens"]), choice["finish_reason"] == "length"
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise UsageError(
                f"{self.server.url}/{path} does not answer as OpenAI's API does ({reason}); check the url"
            ) from error


def _message_text(message: dict[str, Any]) -> str:
    """A chat answer as one text, with the reasoning that a server's parser took out of it put back."""
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    content = message["content"]
    if not reasoning:
        return "" if content is None else content
    return f"<think>{reasoning}" if content is None else f"<think>{reasoning}</think>{content}"
