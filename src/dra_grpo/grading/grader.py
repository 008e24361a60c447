"""Completions and golds in, grades out: the fast paths first, the workers for the rest, nothing twice."""

import atexit
import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dra_grpo.errors import UsageError, require
from dra_grpo.grading.answers import MAX_LENGTH, Extract, Gold, final_answer, read_gold
from dra_grpo.grading.latex import choice, plain, spelling, tidy
from dra_grpo.grading.numerals import based, numeral, same_number
from dra_grpo.grading.pool import Pair, WorkerPool

_MAX_KNOWN = 16384
_ASSIGNMENT = re.compile(r"^[A-Za-z]\s*=")  # `x = 5` answers a gold of 5


class Grade(NamedTuple):
    """What was decided about one completion.

    Attributes:
        score: 1.0 right, 0.0 wrong, None where the gold allows no comparison.
        how: "text", "number" or "words" (compared as such), "mathematics"; "unboxed" (no answer), "overlong" (too
            long to parse), "timeout", "crash" (given up on, so wrong); "unscorable" (the gold).
        answer: what was compared, as written; None where no answer was found.
    """

    score: float | None
    how: str
    answer: str | None


class Grader:
    """Grades answers; one for each set of limits and process, from `grader`.

    Args:
        workers: number of worker processes.
        seconds: CPU seconds for reading one gold, or reading and comparing one answer.
        memory: bytes of address space for a worker.

    Attributes:
        counts: how many completions were decided in each of the ways that `Grade.how` names.
    """

    def __init__(self, workers: int, seconds: float, memory: int):
        require("math_verify", "grade", "grading answers")
        self.pool = WorkerPool(workers, seconds, memory)
        self.counts: Counter[str] = Counter()
        self._known: dict[Pair, str] = {}
        self._lock = threading.Lock()
        atexit.register(self.pool.close)
        os.register_at_fork(after_in_child=self.abandon)

    def grade(self, texts: Sequence[str], golds: Sequence[object], extract: Extract = "boxed") -> list[Grade]:
        """A grade for each completion.

        Args:
            texts: N completions.
            golds: N golds: answers, worked solutions with a box, or numbers.
            extract: where the answer stands, as `final_answer` explains.

        Returns:
            N grades. Equal golds are all scored or all not, whatever the completions are.

        Raises:
            UsageError: the lengths differ, or workers cannot be started.
        """
        if len(texts) != len(golds):
            raise UsageError(f"{len(texts)} completions came with {len(golds)} solutions; expected one for each")
        rows = [(read_gold(raw), final_answer(text, extract)) for text, raw in zip(texts, golds, strict=True)]
        graded: dict[tuple[Gold | None, str | None], Grade] = {}
        hard: dict[tuple[Gold, str], Pair] = {}  # what needs algebra
        for gold, answer in dict.fromkeys(rows):
            if gold is None:
                graded[gold, answer] = Grade(None, "unscorable", answer)
            elif answer is None:
                graded[gold, answer] = Grade(0.0, "unboxed", None)
            else:
                equal, how = fast_grade(gold, answer)
                if equal is None:
                    hard[gold, answer] = gold.text, how
                else:
                    graded[gold, answer] = Grade(float(equal), how, answer)
        outcomes = self._outcomes(dict.fromkeys(hard.values()))
        for row, pair in hard.items():
            how = outcomes[pair]
            graded[row] = Grade(float(how == "equal"), "mathematics" if how in ("equal", "different") else how, row[1])
        grades = [graded[row] for row in rows]
        with self._lock:
            self.counts.update(grade.how for grade in grades)
        return grades

    def abandon(self) -> None:
        """In a forked child: forget the parent's workers, and the state of its locks."""
        self._lock = threading.Lock()
        self.pool.abandon()

    def _outcomes(self, pairs: Iterable[Pair]) -> dict[Pair, str]:
        """What the workers say of each pair, now or before; a crash may say more about the machine than about it."""
        known = self._known
        if unknown := [pair for pair in pairs if pair not in known]:
            known = known | self.pool.run(unknown)
            latest = list(known.items())[-_MAX_KNOWN:]
            self._known = {pair: outcome for pair, outcome in latest if outcome != "crash"}
        return known


def fast_grade(gold: Gold, answer: str) -> tuple[bool | None, str]:
    """Whether `answer` equals `gold`, where that can be told at once, and what was compared.

    Args:
        gold: what `read_gold` returned.
        answer: the content of the box, as written.

    Returns:
        (True or False, "text" | "number" | "words" | "overlong"), or (None, tidy answer) where algebra must decide.

    >>> from dra_grpo.grading.answers import read_gold
    >>> fast_grade(read_gold("1/2"), r"\\frac{1}{2}."), fast_grade(read_gold("2"), "3")
    ((True, 'number'), (False, 'number'))
    >>> fast_grade(read_gold(r"\\sqrt{8}"), r"2\\sqrt{2}")
    (None, '2\\\\sqrt{2}')
    """
    if gold.long or len(answer) > MAX_LENGTH:  # too long to parse: equal as it stands, or wrong
        same = answer.strip() == gold.text
        return same, "text" if same else "overlong"
    text = tidy(answer)
    if chosen := choice(text):
        letter, behind = chosen
        if gold.choice and (letter != gold.choice or not behind or gold.text == letter):
            return letter == gold.choice, "words"
        text = behind or text
    spelled = spelling(text)
    if spelled == gold.spelling:
        return True, "text"
    if gold.words is not None:
        return plain(text) == gold.words, "words"
    if not spelled:
        return False, "text"
    if gold.number is not None and (number := numeral(_ASSIGNMENT.sub("", text))) is not None:
        return same_number(gold.number, number), "number"
    if (here := based(gold.text)) and (there := based(text)):
        return here == there, "number"
    return None, text


_GRADERS: dict[tuple[int, float, int], Grader] = {}


def grader(workers: int = 2, seconds: float = 1.0, memory: int = 1 << 30) -> Grader:
    """This process's grader with these limits; its workers end with the process, however that ends."""
    limits = workers, seconds, memory
    if limits not in _GRADERS:
        _GRADERS.setdefault(limits, Grader(*limits))  # of threads that come at once, all get the one that is kept
    return _GRADERS[limits]
