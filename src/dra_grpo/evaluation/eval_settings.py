"""What one `dra-grpo eval` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import BENCHMARKS, Benchmark
from dra_grpo.evaluation.model_digest import model_digest
from dra_grpo.evaluation.sampler import Decoding
from dra_grpo.evaluation.templates import TEMPLATES

MOST_SAMPLES = 4096
ENGINES = ("transformers", "vllm", "server")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class EvalSettings:
    """An evaluation; None leaves a value to each benchmark.

    Args:
        model: a folder, a Hub name, or the name on the server.
        tasks: names in `BENCHMARKS`.
        out: the folder for samples and results.
        engine: `transformers`, `vllm` or `server`.
        samples: a problem; by task where a mapping has it.
        data: task -> local file.
        columns: task -> role (problem, answer, id) -> column.
        limit: the first so many problems of each task only.
        template, temperature, top_p, max_new_tokens: of every task.
        seed: draws the samples.
        batch_size: prompts a batch of the transformers engine, requests in flight to a server.
        dtype, revision: of the model.
        url, key_variable: of the server.
        devices: accelerators at work, for the bill, and those that vLLM spreads the model over; None: as found.
        context: tokens that vLLM sets memory aside for; None takes the model's own.
        price: money a GPU-hour.

    Raises:
        UsageError: an unknown name, or a value out of range.
    """

    model: str
    tasks: tuple[str, ...]
    out: Path
    engine: str = "transformers"
    samples: int | Mapping[str, int] | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    limit: int | None = None
    template: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_new_tokens: int | None = None
    seed: int = 0
    batch_size: int = 32
    dtype: str = "auto"
    revision: str | None = None
    url: str | None = None
    key_variable: str | None = None
    devices: int | None = None
    context: int | None = None
    price: float | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"engine is {self.engine!r}, expected one of {', '.join(ENGINES)}")
        if self.dtype not in DTYPES:
            raise UsageError(f"dtype is {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        if (self.engine == "server") != (self.url is not None):
            raise UsageError("--engine server and --url go together; give both, or neither")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UsageError(f"tasks are {', '.join(self.tasks) or 'none'}; expected one or more, each once")
        for name in self.tasks:
            self.decoding(name)
            if not 1 <= self.count(name) <= MOST_SAMPLES:
                raise UsageError(f"{name}: {self.count(name)} samples a problem, expected 1 to {MOST_SAMPLES}")
        named = [self.data, self.columns, *([self.samples] if isinstance(self.samples, Mapping) else [])]
        for name in sorted({name for mapping in named for name in mapping}):
            if name not in self.tasks:
                raise UsageError(f"{name!r} is given data, columns or samples, but is none of --tasks")
        if self.batch_size < 1 or (self.devices is not None and self.devices < 0):
            raise UsageError(f"batch size {self.batch_size}, devices {self.devices}: expected at least 1 and 0")
        if self.price is not None and not 0 <= self.price < float("inf"):
            raise UsageError(f"the price of a GPU-hour is {self.price}, expected 0 or more")

    def benchmark(self, task: str) -> Benchmark:
        """The benchmark of that name."""
        return BENCHMARKS[task]

    def count(self, task: str) -> int:
        """Samples a problem."""
        given = self.samples.get(task) if isinstance(self.samples, Mapping) else self.samples
        return self.benchmark(task).samples if given is None else given

    def template_of(self, task: str) -> str:
        """The prompt template's name."""
        return TEMPLATES[self.template or self.benchmark(task).template].name

    def decoding(self, task: str) -> Decoding:
        """How tokens are drawn."""
        own = self.benchmark(task)
        return Decoding(
            own.temperature if self.temperature is None else self.temperature,
            own.top_p if self.top_p is None else self.top_p,
            own.max_new_tokens if self.max_new_tokens is None else self.max_new_tokens,
            TEMPLATES[self.template_of(task)].stop,
        )

    def identity(self, digests: Mapping[str, str]) -> dict[str, Any]:
        """What samples depend on: two runs may share a folder where none of this differs for what both have.

        Args:
            digests: task -> digest of its questions.
        """
        return {
            "model": self.model,
            "weights": None if self.engine == "server" else model_digest(self.model),
            "revision": self.revision,
            "engine": self.engine,
            "dtype": self.dtype,
            "seed": self.seed,
            "tasks": {
                task: {
                    "questions": digests[task],
                    "template": self.template_of(task),
                    "temperature": self.decoding(task).temperature,
                    "top_p": self.decoding(task).top_p,
                    "max_new_tokens": self.decoding(task).max_new_tokens,
                }
                for task in self.tasks
            },
        }
