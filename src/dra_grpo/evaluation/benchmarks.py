"""The benchmarks of `dra-grpo eval`: where each lies, how it is usually sampled and asked, and its problems.

None of their texts is shipped. AIME and AMC problems belong to the MAA and Minerva's are CC BY-NC-SA: they come from
the Hub, or from a file of the user's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from dra_grpo.completions import encodable
from dra_grpo.errors import UsageError
from dra_grpo.registry import Registry
from dra_grpo.tasks import countdown
from dra_grpo.tasks.data import inside
from dra_grpo.tasks.prompts import SYSTEM_PROMPTS, Prompt, as_prompt
from dra_grpo.tasks.source import Row, read_rows

INSTRUCTION = r"Please reason step by step, and put your final answer within \boxed{}."
COLUMNS = {
    "problem": ("problem", "question", "prompt", "Problem", "Question", "input"),
    "answer": ("answer", "final_answer", "gold", "Answer", "ground_truth", "solution", "target"),
    "id": ("id", "unique_id", "problem_id", "ID"),
}
"""role -> the columns that have it in files, in the order in which they are looked for."""


@dataclass(frozen=True)
class Template:
    """One way to ask.

    Attributes:
        prompt: problem -> a text that the model continues as it stands, or messages for its own chat template.
        stop: tokens, as texts, at which a completion ends, beside the model's own end token.
    """

    prompt: Callable[[str], Prompt]
    stop: tuple[str, ...] = ()


_QWEN = f"<|im_start|>system\n{INSTRUCTION}<|im_end|>\n<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n"
TEMPLATES: Registry[Template] = Registry(
    "template",
    "dra_grpo.templates",
    {
        "r1": Template(lambda problem: as_prompt(f"{problem}\n\n{INSTRUCTION}")),
        "qwen-math": Template(lambda problem: _QWEN % problem, ("<|im_end|>",)),
        "paper": Template(lambda problem: as_prompt(problem, SYSTEM_PROMPTS["think-answer"])),
        "plain": Template(lambda problem: problem),
    },
)


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: its name in `BENCHMARKS`.
        count: the problems that it has.
        hub: id of its Hub data set; None where the package makes the problems itself.
        config, split: which part of that data set.
        samples: samples a problem that give an interval worth printing, at a cost worth paying.
        temperature, top_p, max_new_tokens: how it is sampled unless said otherwise.
        template: the prompt template unless said otherwise, a name in `TEMPLATES`.
    """

    name: str
    count: int
    hub: str | None = None
    config: str | None = None
    split: str = "test"
    samples: int = 4
    temperature: float = 0.6
    top_p: float = 0.95
    max_new_tokens: int = 32768
    template: str = "r1"


_BENCHMARKS = (
    Benchmark("aime24", 30, "HuggingFaceH4/aime_2024", split="train", samples=64),
    Benchmark("aime25", 30, "math-ai/aime25", samples=64),
    Benchmark("amc23", 40, "math-ai/amc23", samples=64),
    Benchmark("math500", 500, "HuggingFaceH4/MATH-500"),
    Benchmark("minerva", 272, "math-ai/minervamath"),
    Benchmark("olympiadbench", 674, "Hothan/OlympiadBench", "OE_TO_maths_en_COMP", "train"),
    Benchmark("gsm8k", 1319, "openai/gsm8k", "main"),
    Benchmark("countdown", 500, samples=16, temperature=1.0, top_p=1.0, max_new_tokens=64, template="plain"),
)
BENCHMARKS: Registry[Benchmark] = Registry("benchmark", "dra_grpo.benchmarks", {one.name: one for one in _BENCHMARKS})

PAPER_FIVE = ("aime24", "amc23", "math500", "minerva", "olympiadbench")
"""The five that the DRA paper averages over."""


@dataclass(frozen=True)
class Problem:
    """One problem of a benchmark, whatever its file calls the columns.

    Attributes:
        id: its own id where the file has unique ones, else its row number; what resuming and comparing go by.
        text: what the prompt is made of.
        gold: the answer as the file has it: an answer, a worked solution with a box, a number. None where the task
            knows for itself what is right, as Countdown does.
    """

    id: str
    text: str
    gold: object = None


class Problems(NamedTuple):
    """A benchmark's problems, what is worth knowing about them, and a digest of ids and texts, of all if limited."""

    problems: list[Problem]
    notes: list[str]
    digest: str


def load_problems(
    benchmark: Benchmark, file: Path | None = None, columns: Mapping[str, str] = {}, limit: int | None = None
) -> Problems:
    """The problems of a benchmark.

    Args:
        benchmark: which.
        file: a local file or folder; None takes the Hub's data set or, for Countdown, the problems of its test split.
        columns: `problem`, `answer` or `id` -> the column that holds it, where that is not found by itself; dots reach
            into mappings.
        limit: the first so many only; None means all.

    Returns:
        The problems, with notes where their number is not the one that the benchmark's name stands for.

    Raises:
        UsageError: the Hub cannot be reached, or a file, a column or a value is not what it should be.
    """
    if file is None and benchmark.hub is None:
        problems = [Problem(one.prompt, one.prompt) for one in countdown.problems("test", benchmark.count)]
    else:
        rows, place = _rows(benchmark, file), f"{benchmark.name} ({file or benchmark.hub})"
        problems = _read(rows, columns, place, golds=benchmark.name != "countdown")
    notes = []
    if len(problems) != benchmark.count:
        notes.append(f"{benchmark.name} has {len(problems)} problems, expected {benchmark.count}")
    if limit is not None and limit < len(problems):
        notes.append(f"{benchmark.name}: the first {limit} of {len(problems)} problems only")
    digest = blake2b("".join(f"{one.id}\n{one.text}\n" for one in problems).encode(), digest_size=8)
    return Problems(problems[:limit], notes, digest.hexdigest())


def _rows(benchmark: Benchmark, file: Path | None) -> list[Row]:
    """The rows of a local file or folder, or of the Hub's data set."""
    try:
        if file is None:
            return read_rows(str(benchmark.hub), benchmark.config, benchmark.split)
        return read_rows(str(file.resolve()), None, "train" if file.is_file() else benchmark.split)
    except UsageError as error:
        reason = str(error).partition(";")[0]  # what follows is advice for training
        raise UsageError(f"{benchmark.name}: {reason}; give a local file with --data {benchmark.name}=PATH") from error


def _read(rows: Sequence[Row], columns: Mapping[str, str], place: str, golds: bool) -> list[Problem]:
    texts, ids = _column(rows, columns, "problem", place), _ids(rows, columns, place)
    for number, (text, id) in enumerate(zip(texts, ids, strict=True), 1):
        if not isinstance(text, str) or not text.strip() or encodable([text, id]) != [text, id]:
            raise UsageError(f"{place}, row {number}: the problem is {text!r}, its id {id!r}; expected whole texts")
        if not golds:
            countdown.Problem.from_prompt(text)
    answers = map(_gold, _column(rows, columns, "answer", place)) if golds else [None] * len(rows)
    return [Problem(*fields) for fields in zip(ids, texts, answers, strict=True)]


def _column(rows: Sequence[Row], columns: Mapping[str, str], role: str, place: str) -> list[Any]:
    """The values of `role`: in the column that is named, else in the first usual one that every row has."""
    if role in columns:
        missing = f"{place} has no column {columns[role]!r} for --columns {role}"
        return [inside(row, columns[role], missing) for row in rows]
    for name in COLUMNS[role]:
        if all(name in row for row in rows):
            return [row[name] for row in rows]
    found = f"none of {', '.join(COLUMNS[role])} in every row, of which the first has {', '.join(rows[0])}"
    raise UsageError(f"{place}: {found}; name the {role}'s column with --columns {role}=NAME")


def _ids(rows: Sequence[Row], columns: Mapping[str, str], place: str) -> list[str]:
    """Those of the column that is named, else of the first usual one where they differ, else the rows' numbers."""
    numbers = range(len(rows))
    usual = [[row.get(name) for row in rows] for name in COLUMNS["id"]]
    for values in [_column(rows, columns, "id", place)] if "id" in columns else [*usual, numbers]:
        if None not in values and len(ids := {str(value): None for value in values}) == len(rows):
            return list(ids)
    raise UsageError(f"{place}: the ids in column {columns['id']!r} are not all different; name another")


def _gold(value: Any) -> object:
    """The gold as the grader takes it: of several answers in a list, one list in words."""
    return ", ".join(map(str, value)) or None if isinstance(value, list | tuple) else value
