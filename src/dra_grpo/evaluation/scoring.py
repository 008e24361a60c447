"""What each problem's samples came to: right or wrong, which answers, how long, cut off or not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from dra_grpo.evaluation.benchmarks import Problem
from dra_grpo.evaluation.samples import Sample
from dra_grpo.grading.answers import read_gold
from dra_grpo.grading.grader import grader
from dra_grpo.tasks import countdown

Samples = Mapping[tuple[str, int], Sample]
"""By problem id and number."""


@dataclass(frozen=True)
class Scored:
    """One problem and its n samples.

    Attributes:
        problem: the problem.
        samples: in the order of their numbers.
        correct: one a sample; None where the gold allows no comparison.
        answers: what each sample answers, equal where two answers are written alike once brought to one spelling;
            None without an answer. For Countdown the solution's key, and None where it is wrong.
        solutions: how many distinct solutions the problem has, where that is known.
        hows: how the grader came to each grade.
    """

    problem: Problem
    samples: list[Sample]
    correct: list[bool] | None
    answers: list[str | None]
    solutions: int | None = None
    hows: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of the problem and its gold: equal in two evaluations that asked the same."""
        text = f"{self.problem.text}\n{self.problem.gold}"
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    @property
    def votes(self) -> Counter[str]:
        """Answer -> samples that gave it."""
        return Counter(answer for answer in self.answers if answer is not None)

    @property
    def group(self) -> dict[str, Any]:
        """The problem with its samples as a saved group."""
        return {
            "id": self.problem.id,
            "prompt": self.problem.text,
            "answer": self.problem.gold,
            "completions": [sample.completion for sample in self.samples],
            **({} if self.correct is None else {"correct": self.correct}),
            "answers": self.answers,
            "tokens": [sample.tokens for sample in self.samples],
            "truncated": [sample.truncated for sample in self.samples],
        }


def score(task: str, problems: Sequence[Problem], drawn: Samples, count: int, extract: Any = "boxed") -> list[Scored]:
    """Grade the first `count` samples of every problem.

    Args:
        task: the benchmark's name; Countdown has a verifier, all others are graded by their gold.
        problems: N.
        drawn: every (id, 0 … count - 1) of them.
        count: n.
        extract: where an answer is looked for, as in `final_answer`.

    Returns:
        N, in the order of `problems`.
    """
    groups = [[drawn[problem.id, number] for number in range(count)] for problem in problems]
    if task == "countdown":
        return [_countdown(*row) for row in zip(problems, groups, strict=True)]
    texts = [sample.completion for group in groups for sample in group]
    golds = [problem.gold for problem in problems for _ in range(count)]
    grades = iter(grader().grade(texts, golds, extract=extract))
    return [_mathematics(*row, [next(grades) for _ in range(count)]) for row in zip(problems, groups, strict=True)]


def _countdown(problem: Problem, samples: list[Sample]) -> Scored:
    asked = countdown.Problem.from_prompt(problem.text)
    correct = [countdown.verify(sample.completion, asked).correct for sample in samples]
    rows = zip(samples, correct, strict=True)
    answers = [countdown.solution_key(one.completion) if right else None for one, right in rows]
    return Scored(problem, samples, correct, answers, solutions=len(countdown.distinct_solutions(asked)))


def _mathematics(problem: Problem, samples: list[Sample], grades: Sequence[Any]) -> Scored:
    correct = None if grades[0].score is None else [grade.score == 1.0 for grade in grades]
    answers = [_normal_form(grade.answer) for grade in grades]
    return Scored(problem, samples, correct, answers, hows=tuple(grade.how for grade in grades))


def _normal_form(answer: str | None) -> str | None:
    """A form that equal numbers, words and spellings share; None for an empty answer."""
    read = read_gold(answer)
    if read is None:
        return None
    return str(read.number.value) if read.number is not None else read.words or read.spelling
