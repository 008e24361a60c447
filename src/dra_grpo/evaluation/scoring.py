"""What each problem's samples came to: right or wrong, which answers, how long, cut off or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from dra_grpo.evaluation.question import Question
from dra_grpo.evaluation.sampler import Key, Sample
from dra_grpo.grading.answers import read_gold
from dra_grpo.grading.grader import grader
from dra_grpo.tasks.countdown import Problem, distinct_solutions, solution_key, verify

CHUNK = 512


@dataclass(frozen=True)
class Scored:
    """One problem and its n samples.

    Attributes:
        question: the problem.
        samples: in the order of their numbers.
        correct: one a sample; None where the gold allows no comparison.
        answers: what each sample answers, equal where two answers are written alike once brought to one spelling;
            None without an answer. For Countdown the solution's key, and None where it is wrong.
        solutions: how many distinct solutions the problem has, where that is known.
        hows: how the grader came to each verdict.
    """

    question: Question
    samples: list[Sample]
    correct: list[bool] | None
    answers: list[str | None]
    solutions: int | None = None
    hows: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Of the problem and its gold: equal in two evaluations that asked the same."""
        text = f"{self.question.problem}\n{self.question.answer}"
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    @property
    def votes(self) -> Counter[str]:
        """Answer -> samples that gave it."""
        return Counter(answer for answer in self.answers if answer is not None)


def score(task: str, questions: Sequence[Question], samples: Mapping[Key, Sample], count: int) -> list[Scored]:
    """Grade the first `count` samples of every question.

    Args:
        task: the benchmark's name; Countdown has a verifier, all others are graded by their gold.
        questions: N.
        samples: every (id, 0 … count - 1) of them.
        count: n.

    Returns:
        N, in the order of `questions`.
    """
    groups = [[samples[Key(question.id, number)] for number in range(count)] for question in questions]
    if task == "countdown":
        return [_countdown(question, group) for question, group in zip(questions, groups, strict=True)]
    size = max(1, CHUNK // count)
    return [
        scored
        for start in range(0, len(questions), size)
        for scored in _mathematics(questions[start : start + size], groups[start : start + size])
    ]


def _countdown(question: Question, samples: list[Sample]) -> Scored:
    problem = Problem.from_prompt(question.problem)
    correct = [verify(sample.text, problem).correct for sample in samples]
    answers = [solution_key(sample.text) if right else None for sample, right in zip(samples, correct, strict=True)]
    return Scored(question, samples, correct, answers, solutions=len(distinct_solutions(problem)))


def _mathematics(questions: Sequence[Question], groups: Sequence[list[Sample]]) -> list[Scored]:
    texts = [sample.text for group in groups for sample in group]
    golds = [question.answer for question, group in zip(questions, groups, strict=True) for _ in group]
    verdicts = iter(grader().grade(texts, golds))
    scored = []
    for question, group in zip(questions, groups, strict=True):
        own = [next(verdicts) for _ in group]
        correct = None if own[0].score is None else [verdict.score == 1.0 for verdict in own]
        answers = [_spelling(verdict.answer) for verdict in own]
        scored.append(Scored(question, group, correct, answers, hows=tuple(verdict.how for verdict in own)))
    return scored


def _spelling(answer: str | None) -> str | None:
    """A form that equal numbers, words and spellings share; None for an empty answer."""
    read = read_gold(answer)
    if read is None:
        return None
    if read.number is not None:
        return str(read.number.value)
    return read.spelling if read.words is None else read.words
