"""The accuracy reward: 1 for a boxed answer equal to the gold, in TRL's signature."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dra_grpo.completions import Completions, completion_text
from dra_grpo.grading.grader import Grade, Grader, grader

logger = logging.getLogger(__name__)

Log = Callable[[str, float], None]
"""TRL's: a metric's name and its value in this batch."""

_GIVEN_UP = ("timeout", "crash", "overlong")


@dataclass(frozen=True)
class AccuracyReward:
    """1.0 where the last balanced `\\boxed{}` after the reasoning equals the gold, 0.0 where not, None if unscorable.

    Equality is that of the same text, of numbers, of words, or of mathematics (math-verify, in worker processes). An
    answer that exceeds a limit is wrong, and counted. Whether a row has a score depends on its gold alone: a group is
    scored or not as a whole.

    Args:
        workers: worker processes for this process; they start with the first answer that needs one.
        seconds: CPU seconds for one answer; the slowest of 1,590 comparisons of benchmark golds took 0.14.
        memory: bytes of address space for a worker, at least 2**28.

    >>> reward = AccuracyReward(workers=1)
    >>> reward([r"So \\boxed{0.5}.", "So 0.5.", r"\\boxed{\\frac{2}{4}}"], solution=["1/2", "1/2", "1/2"])
    [1.0, 0.0, 1.0]
    """

    workers: int = 2
    seconds: float = 1.0
    memory: int = 1 << 30
    __name__: ClassVar[str] = "accuracy_reward"

    @property
    def grader(self) -> Grader:
        """The grader that this process uses for these limits."""
        return grader(self.workers, self.seconds, self.memory)

    @property
    def counts(self) -> Counter[str]:
        """How this process's completions were decided so far, by `Grade.how`; `counts["timeout"]` among them."""
        return self.grader.counts

    def __call__(
        self, completions: Completions, solution: Sequence[object], log_metric: Log | None = None, **columns: Any
    ) -> list[float | None]:
        """The rewards of N completions.

        Args:
            completions: N texts or chats.
            solution: N golds: answers, worked solutions with a box, or numbers.
            log_metric: TRL's; gets the number of timeouts, of other answers given up on and of unscorable rows.
            columns: what else the trainer passes; unused.

        Returns:
            N rewards.

        Raises:
            UsageError: the lengths differ, a completion has neither form, or workers cannot be started.
        """
        grades = self.grader.grade([completion_text(completion) for completion in completions], solution)
        _report(grades, solution, log_metric)
        return [grade.score for grade in grades]


def _report(grades: list[Grade], solution: Sequence[object], log_metric: Log | None) -> None:
    counts = Counter(grade.how for grade in grades)
    given_up = {how: counts[how] for how in _GIVEN_UP if counts[how]}
    if given_up:
        logger.warning("%d of %d answers given up on and wrong: %s", sum(given_up.values()), len(grades), given_up)
    unscorable = {repr(gold) for gold, grade in zip(solution, grades, strict=True) if grade.score is None}
    if unscorable:
        found, names = f"{counts['unscorable']} of {len(grades)}", ", ".join(sorted(unscorable))
        logger.warning("%s completions get no reward: nothing can be compared with gold %s", found, names)
    if log_metric:  # the same names on every rank and in every call, or TRL's averages would not be comparable
        log_metric("grading/timeouts", float(counts["timeout"]))
        log_metric("grading/given_up", float(sum(given_up.values()) - counts["timeout"]))
        log_metric("grading/unscorable", float(counts["unscorable"]))


accuracy_reward = AccuracyReward()
