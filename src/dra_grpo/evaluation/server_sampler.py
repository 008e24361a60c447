"""Sampling from a server that speaks OpenAI's API, such as `vllm serve`."""

from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

from dra_grpo.completions import policy_text
from dra_grpo.evaluation.samples import Decoding, Request, Sample
from dra_grpo.evaluation.settings import EvalSettings
from dra_grpo.server import OpenAIServer


class ServerSampler:
    """One request a sample: `/v1/chat/completions` for messages, `/v1/completions` for texts.

    A sample that came is never asked for again; `OpenAIServer` says which failures are passing. Seeds are sent;
    whether they are heeded is the server's affair.

    Args:
        settings: url, model (its name there), batch_size (requests in flight), key_variable and devices.

    Raises:
        UsageError: the url is no http(s) address, or the key's variable is not set; when sampling: the server stays
            unreachable, refuses a request, or does not answer as that API does.
    """

    def __init__(self, settings: EvalSettings):
        self.server = OpenAIServer(settings.url or "", timeout=3600.0, key_variable=settings.key_variable)
        self.server.headers()  # a key that is not set is better said now than by every thread
        self.settings = settings
        self.devices = settings.devices or 0

    def sample(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[list[Sample]]:
        """Draw every request, several at a time, yielding each as it comes."""
        waiting = iter(requests)  # threads may share it: one `next` is one step of the interpreter
        came: SimpleQueue[Sample | BaseException] = SimpleQueue()
        enough = Event()

        def work() -> None:
            while not enough.is_set() and (request := next(waiting, None)):
                try:
                    came.put(self._draw(request, decoding))
                except BaseException as error:
                    came.put(error)

        try:
            # Daemons: whoever stops the evaluation does not wait for answers that are still being written.
            for _ in range(min(self.settings.batch_size, len(requests))):
                Thread(target=work, daemon=True).start()
            for _ in requests:
                outcome = came.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield [outcome]
        finally:
            enough.set()

    def _draw(self, request: Request, decoding: Decoding) -> Sample:
        chat = not isinstance(request.prompt, str)
        body = {"model": self.settings.model, "messages" if chat else "prompt": request.prompt, "seed": request.seed}
        body |= {"temperature": decoding.temperature, "top_p": decoding.top_p, "max_tokens": decoding.max_new_tokens}
        if decoding.stop:  # vLLM looks for them in the text, from which it takes special tokens unless told not to
            body |= {"stop": list(decoding.stop), "skip_special_tokens": False}

        def sample(answer: Any) -> Sample:
            choice = answer["choices"][0]
            text = policy_text([choice["message"]]) if chat else choice["text"]
            tokens = int(answer["usage"]["completion_tokens"])
            return Sample(request.id, request.number, f"{text:s}", tokens, choice["finish_reason"] == "length")

        return self.server.post("chat/completions" if chat else "completions", body, sample)
