"""What an engine is asked for and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import Problem, Prompt, Template


@dataclass(frozen=True)
class Request:
    """One sample to draw.

    Attributes:
        id, number: which problem's, and which of its samples.
        prompt: what to continue.
        seed: draws its tokens, and no other request's.
    """

    id: str
    number: int
    prompt: Prompt
    seed: int


@dataclass(frozen=True)
class Sample:
    """One completion.

    Attributes:
        id, number: which problem's, and which of its samples.
        completion: its text without the end token.
        tokens: generated tokens, the end token among them.
        truncated: it met the limit on new tokens before its end.
    """

    id: str
    number: int
    completion: str
    tokens: int
    truncated: bool


@dataclass(frozen=True)
class Decoding:
    """How tokens are drawn; nothing of the model's own generation settings is used but its end tokens.

    Args:
        temperature: 0 takes the likeliest token.
        top_p: nucleus, in (0, 1].
        max_new_tokens: the limit.
        stop: texts that end a completion and are not part of it.

    Raises:
        UsageError: a value is out of range.
    """

    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf") or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise UsageError(
                f"temperature {self.temperature}, top_p {self.top_p}, max_new_tokens {self.max_new_tokens}: expected "
                "a temperature of at least 0, a top_p in (0, 1] and at least 1 token"
            )


def all_requests(
    problems: Sequence[Problem], template: Template, samples: int, seed: int = 0, task: str = ""
) -> list[Request]:
    """The requests of a benchmark in the order they are drawn: first every problem's sample 0, then sample 1, ...

    A run that is killed so has about as many samples of each problem, and a larger `samples` appends to the same
    order. Within a round prompts go by length, down and up in turn, so that a batch holds similar ones and the
    longest come first, where a lack of memory shows at once.

    Args:
        problems: N.
        template: makes their prompts.
        samples: rounds.
        seed: with task, id and sample number it gives each request its own seed.
        task: the benchmark's name.
    """
    rows = [
        (problem.id, template.prompt(problem.text)) for problem in sorted(problems, key=lambda one: -len(one.text))
    ]
    return [
        Request(id, number, prompt, request_seed(seed, task, id, number))
        for number in range(samples)
        for id, prompt in (rows if number % 2 == 0 else reversed(rows))
    ]


def request_seed(seed: int, task: str, id: str, sample: int) -> int:
    """A request's own seed: 31 bits, which every engine takes, of a hash of where it stands.

    >>> request_seed(0, "aime24", "7", 0), request_seed(0, "aime24", "7", 1)
    (395797493, 1329165680)
    """
    digest = blake2b(f"{seed}\n{task}\n{id}\n{sample}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 33
