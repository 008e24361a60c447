"""One problem of a benchmark, whatever its file calls the columns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A problem and its gold answer.

    Attributes:
        id: its own id where the file has unique ones, else its row number; what resuming and comparing go by.
        problem: the text that the prompt is made of.
        answer: the gold as the file has it: an answer, a worked solution with a box, a number. None where the task
            knows for itself what is right, as Countdown does.
    """

    id: str
    problem: str
    answer: object = None
