"""From a benchmark's rows, on the Hub or in a local file, to questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import Benchmark
from dra_grpo.evaluation.question import Question
from dra_grpo.tasks.countdown import Problem, problems
from dra_grpo.tasks.source import Row, file_rows, read_rows

PROBLEM_COLUMNS = ("problem", "question", "prompt", "Problem", "Question", "input")
ANSWER_COLUMNS = ("answer", "final_answer", "gold", "Answer", "ground_truth", "solution", "target")
ID_COLUMNS = ("id", "unique_id", "problem_id", "ID")


class Questions(NamedTuple):
    """A benchmark's questions, what is worth knowing about them, and a digest of ids and texts, of all if limited."""

    questions: list[Question]
    notes: list[str]
    digest: str


def load_questions(
    benchmark: Benchmark,
    file: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Questions:
    """The questions of a benchmark.

    Args:
        benchmark: which.
        file: a local file or folder; None takes the Hub's data set or, for Countdown, the problems of its test split.
        columns: `problem`, `answer` or `id` -> the column that holds it, where that is not found by itself.
        limit: the first so many only; None means all.

    Returns:
        The questions, with notes where their number is not the one that the benchmark's name stands for.

    Raises:
        UsageError: the Hub cannot be reached, or a file, a column or a value is not what it should be.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit is {limit}, expected 1 or more problems")
    wrong = sorted(set(columns or {}) - {"problem", "answer", "id"})
    if wrong:
        raise UsageError(f"no column {wrong[0]!r} to map in {benchmark.name}; expected problem, answer or id")
    if file is None and benchmark.hub is None:
        (count,) = benchmark.counts
        made = [Question(problem.prompt, problem.prompt) for problem in problems("test", count)]
        return _limited(benchmark, made, limit)
    rows = _rows(benchmark, None if file is None else Path(file).expanduser())
    questions = _questions(benchmark, rows, columns or {}, f"{benchmark.name} ({file or benchmark.hub})")
    return _limited(benchmark, questions, limit)


def _limited(benchmark: Benchmark, questions: list[Question], limit: int | None) -> Questions:
    notes = []
    found = len(questions)
    expected = " or ".join(f"{count} ({place})" for count, place in benchmark.counts.items())
    if found not in benchmark.counts:
        remark = f"; {benchmark.remark}" if benchmark.remark else ""
        notes.append(f"{benchmark.name} has {found} problems, expected {expected}{remark}")
    elif len(benchmark.counts) > 1:
        notes.append(f"{benchmark.name} has {found} problems, as on {benchmark.counts[found]}; known are {expected}")
    if limit is not None and limit < found:
        notes.append(f"{benchmark.name}: the first {limit} of {found} problems only")
    digest = blake2b(digest_size=8)
    for question in questions:
        digest.update(f"{question.id}\n{question.problem}\n".encode("utf-8", "surrogatepass"))
    return Questions(questions[:limit], notes, digest.hexdigest())


def _rows(benchmark: Benchmark, place: Path | None) -> list[Row]:
    """The rows of a local file or folder, or of the Hub's data set."""
    if place is not None:
        if not place.exists():
            raise UsageError(f"{benchmark.name}: there is no file or folder {place}")
        rows = file_rows(place) if place.is_file() else read_rows(str(place), None, benchmark.split)
        if not rows:
            raise UsageError(f"{benchmark.name}: {place} holds no rows")
        return rows
    try:
        return read_rows(str(benchmark.hub), benchmark.config, benchmark.split)
    except UsageError as error:
        reason = str(error).partition(";")[0]  # what follows is advice for training
        raise UsageError(f"{benchmark.name}: {reason}; give a local file with --data {benchmark.name}=PATH") from error


def _questions(benchmark: Benchmark, rows: Sequence[Row], columns: Mapping[str, str], place: str) -> list[Question]:
    known_columns = benchmark.columns
    problem_column = _column(rows, columns.get("problem"), (known_columns[0], *PROBLEM_COLUMNS), "problem", place)
    texts = [_text(row[problem_column], f"{place}, row {number}") for number, row in enumerate(rows, 1)]
    ids = _ids(rows, columns.get("id"), place)
    if benchmark.name == "countdown":
        for text in texts:
            Problem.from_prompt(text)
        return [Question(*pair) for pair in zip(ids, texts, strict=True)]
    answer_column = _column(rows, columns.get("answer"), (known_columns[1], *ANSWER_COLUMNS), "answer", place)
    golds = [_gold(row[answer_column], benchmark.gold_after) for row in rows]
    return [Question(*fields) for fields in zip(ids, texts, golds, strict=True)]


def _column(rows: Sequence[Row], given: str | None, candidates: Sequence[str], role: str, place: str) -> str:
    """The column of `role`: the one given, else the first candidate that every row has."""
    for name in [given] if given is not None else candidates:
        if all(name in row for row in rows):
            return name
    shared = sorted(set.intersection(*(set(row) for row in rows)))
    sought = (
        f"no column {given!r}"
        if given is not None
        else f"none of {', '.join(dict.fromkeys(filter(None, candidates)))}"
    )
    raise UsageError(
        f"{place}: {sought} in every row, which all have {', '.join(shared) or 'no column in common'}; "
        f"name the {role}'s column with --column {place.partition(' ')[0]}.{role}=NAME"
    )


def _ids(rows: Sequence[Row], given: str | None, place: str) -> list[str]:
    for name in [given] if given is not None else ID_COLUMNS:
        ids = [str(row[name]) for row in rows if row.get(name) is not None]
        if len(set(ids)) == len(rows):
            for id in ids:
                _check_unicode(id, f"{place}, column {name!r}")
            return ids
        if given is not None:
            raise UsageError(f"{place}: column {name!r} has {len(set(ids))} different ids in {len(rows)} rows")
    return [str(number) for number in range(len(rows))]


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{place}: the problem is {value!r}; expected a text")
    _check_unicode(value, place)
    return value


def _check_unicode(text: str, place: str) -> None:
    """Refuse half a surrogate pair, as JSON's \\ud800 can put it: no tokenizer takes it, after hours of sampling."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"{place}: character {error.start + 1} of {text[:60]!r} is half a surrogate pair; mend the file"
        ) from error


def _gold(value: Any, after: str | None) -> object:
    """The gold as the grader takes it: lists become one list in words, worked solutions lose what comes before."""
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) if value else None
    if after is not None and isinstance(value, str) and after in value:
        return value.rpartition(after)[2].strip()
    return value
