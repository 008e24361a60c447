"""What is asked of an engine, what came, and where it lies: every sample of an evaluation, and what it depends on.

settings.json          what the samples depend on
samples/TASK.jsonl     every sample, a line each, written as they come
groups/TASK.jsonl      the same graded, a line a problem: saved groups, as `dra-grpo analyze` reads them
results.json           all results
pass_at_k.svg          the curves
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import Problem, Template
from dra_grpo.files import append_json_lines, json_lines, read_json, write_json
from dra_grpo.tasks.prompts import Prompt


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
        stop: tokens, as texts, that end a completion and are not part of it.

    Raises:
        UsageError: a value is out of range.
    """

    temperature: float
    top_p: float
    max_new_tokens: int
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf") or not 0 < self.top_p <= 1 or self.max_new_tokens < 1:
            raise UsageError(f"{self}: expected a temperature of at least 0, a top_p in (0, 1] and at least 1 token")


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
    longest_first = sorted(problems, key=lambda problem: -len(problem.text))
    rows = [(problem.id, template.prompt(problem.text)) for problem in longest_first]
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


class SampleFile:
    """The samples of one benchmark on disk, read back after a kill at any point.

    Attributes:
        samples: all that the file holds, by problem id and number.
        seconds: how long drawing them took.
        device_seconds: the same, each second counted once for every accelerator at work.

    Args:
        path: where they lie.

    Raises:
        UsageError: a whole line is no sample.
    """

    def __init__(self, path: Path):
        self.path = path
        self.samples: dict[tuple[str, int], Sample] = {}
        self.seconds = self.device_seconds = 0.0
        if not path.exists():
            return
        for number, record in enumerate(json_lines(path), 1):
            try:
                self._take(**record)
            except TypeError as error:
                raise UsageError(f"{path}, line {number} is no sample ({error}); remove that line") from error
        with path.open("rb+") as stream:  # a kill may leave half a line at the end
            stream.truncate(stream.read().rfind(b"\n") + 1)

    def append(self, samples: Sequence[Sample], seconds: float, devices: int) -> None:
        """Add what has just been drawn, in one write: a kill leaves all of it, or a part that ends in half a line.

        Args:
            samples: what came.
            seconds: since the last that came before them.
            devices: accelerators at work meanwhile.
        """
        share = round(seconds / len(samples), 6)
        times = {"seconds": share, "device_seconds": share * devices}
        records = [asdict(sample) | times for sample in samples]
        for record in records:
            self._take(**record)
        append_json_lines(self.path, records)

    def _take(self, seconds: float, device_seconds: float, **fields: Any) -> None:
        sample = Sample(**fields)
        self.samples[sample.id, sample.number] = sample
        self.seconds += seconds
        self.device_seconds += device_seconds


def samples_file(out: Path, task: str) -> Path:
    """Where a task's samples lie."""
    return out / "samples" / f"{task}.jsonl"


def claim(out: Path, model: Mapping[str, Any], tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """Record what the samples depend on, once it is sure that those already here depend on the same.

    Args:
        out: the evaluation's folder.
        model: name -> value, for every task.
        tasks: task -> name -> value, for its own samples.

    Raises:
        UsageError: they do not; the message names what differs.
    """
    before = read_json(out / "settings.json")
    for task, old in before.items():
        now = {**old, **model, **tasks.get(task, {})}
        changed = [f"{name} {old.get(name)!r}, now {value!r}" for name, value in now.items() if old.get(name) != value]
        if changed and samples_file(out, task).exists():
            found = f"{out} holds samples of {task} with other settings ({'; '.join(changed)})"
            raise UsageError(f"{found}; take another --out, or the same settings to go on")
    write_json(out / "settings.json", {**before, **{task: {**model, **own} for task, own in tasks.items()}})
