"""What one `dra-grpo eval` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import BENCHMARKS, COLUMNS, TEMPLATES
from dra_grpo.evaluation.samples import Decoding

WEIGHTS = ("*.safetensors", "*.bin", "config.json", "generation_config.json", "tokenizer*.json", "chat_template.jinja")
"""What of a model's folder changes the samples; results and reports may lie beside it."""


def _option(default: Any, help: str, *choices: str) -> Any:
    """A field that is a flag of the command line as it stands."""
    known = help if default is None else f"{help} (default: {default})"
    return field(default=default, metadata={"help": known, "choices": choices or None})


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
        columns: `problem`, `answer` or `id`, or one of them after a task's name and a dot -> column.
        limit: the first so many problems of each task only.
        template, temperature, top_p, max_new_tokens: of every task.
        extract: where a sample's answer is looked for: `boxed`, as rewards do, or `lenient`.
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
    samples: int | Mapping[str, int] | None = None
    data: Mapping[str, Path] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    price: float | None = None
    temperature: float | None = None
    limit: int | None = _option(None, "the first so many problems of each task")
    engine: str = _option("transformers", "what draws the samples", "transformers", "vllm", "server")
    template: str | None = _option(None, "r1, qwen-math, paper or plain (default: r1; plain for countdown)")
    top_p: float | None = _option(None, "default: 0.95; 1 for countdown")
    max_new_tokens: int | None = _option(None, "default: 32768; 64 for countdown")
    extract: str = _option("boxed", "where answers stand; lenient: not only in boxes", "boxed", "lenient")
    seed: int = _option(0, "draws the samples")
    batch_size: int = _option(32, "prompts a batch, or requests in flight to a server")
    dtype: str = _option("auto", "of the weights", "auto", "float32", "bfloat16", "float16")
    revision: str | None = _option(None, "of a Hub model")
    url: str | None = _option(None, "of the server, such as http://127.0.0.1:8000/v1")
    key_variable: str | None = _option(None, "environment variable with the server's API key")
    devices: int | None = _option(None, "GPUs at work: what vLLM spreads over, and what is billed")
    context: int | None = _option(None, "vLLM: longest prompt and completion together")

    def __post_init__(self) -> None:
        if (self.engine == "server") != (self.url is not None):
            raise UsageError("--engine server and --url go together; give both, or neither")
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise UsageError(f"tasks are {', '.join(self.tasks) or 'none'}; expected one or more, each once")
        for name in self.tasks:
            self.decoding(name)
            if self.count(name) < 1:
                raise UsageError(f"{name}: {self.count(name)} samples a problem, expected 1 or more")
        if self.batch_size < 1 or (self.limit is not None and self.limit < 1):
            raise UsageError(f"batch size {self.batch_size}, limit {self.limit}: expected 1 or more")

    def count(self, task: str) -> int:
        """Samples a problem."""
        given = self.samples.get(task) if isinstance(self.samples, Mapping) else self.samples
        return BENCHMARKS[task].samples if given is None else given

    def columns_of(self, task: str) -> dict[str, str]:
        """Role -> column, where one is named for this task or for all."""
        found = {role: self.columns.get(f"{task}.{role}", self.columns.get(role)) for role in COLUMNS}
        return {role: column for role, column in found.items() if column is not None}

    def asked(self, task: str) -> dict[str, Any]:
        """How a task is asked and sampled: its own template, temperature, top_p and token limit, or those given."""
        names = ("template", "temperature", "top_p", "max_new_tokens")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return {name: getattr(BENCHMARKS[task], name) for name in names} | given

    def decoding(self, task: str) -> Decoding:
        """How tokens are drawn."""
        template, temperature, top_p, max_new_tokens = self.asked(task).values()
        return Decoding(temperature, top_p, max_new_tokens, TEMPLATES[template].stop)

    @property
    def identity(self) -> dict[str, Any]:
        """What the samples of every task depend on; beside it there is what is `asked` of each."""
        weights = None if self.engine == "server" else model_digest(self.model)
        names = ("model", "revision", "engine", "dtype", "seed")
        return {name: getattr(self, name) for name in names} | {"weights": weights}


def model_digest(model: str) -> str | None:
    """A digest of what lies in a model's folder; None for what is no folder.

    A checkpoint that is trained on in its folder keeps its name and changes its samples; this tells.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return None
    digest = blake2b(digest_size=8)
    for file in sorted(file for pattern in WEIGHTS for file in folder.glob(pattern)):
        with file.open("rb") as stream:
            digest.update(file.name.encode() + file_digest(stream, "blake2b").digest())
    return digest.hexdigest()
