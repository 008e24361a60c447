"""Accuracy scaled by length along a cosine: short right answers earn most, short wrong ones least."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dra_grpo.completions import Completions, Ids
from dra_grpo.errors import UsageError
from dra_grpo.rewards.accuracy import AccuracyReward, accuracy_reward


@dataclass(frozen=True)
class CosineLengthReward:
    """R = long + ½ (short − long) (1 + cos(π · min(n / L, 1))) for n tokens and L = `max_tokens`.

    (short, long) is (`short_correct`, `long_correct`) for a right answer and (`short_wrong`, `long_wrong`) for a wrong
    one; R lies between the two and stays at `long` from L tokens on. "Demystifying Long Chain-of-Thought Reasoning",
    arXiv 2502.03373, appendix C.1. The DRA paper's released code counts characters, up to 1000, and does not stop the
    cosine there, so that its reward rises and falls with length.

    Args:
        max_tokens: L; the default is the paper's completion limit.
        short_correct: reward of a right answer of no length.
        long_correct: reward of a right answer of L tokens or more.
        short_wrong: reward of a wrong answer of no length.
        long_wrong: reward of a wrong answer of L tokens or more.
        accuracy: what tells right from wrong; a row without a score keeps none.

    Raises:
        UsageError: `max_tokens` is not positive.

    >>> reward = CosineLengthReward(max_tokens=100)
    >>> right, wrong = r"\\boxed{1}", r"\\boxed{2}"
    >>> ids = [[0] * n for n in (0, 50, 100, 900)]
    >>> reward([right] * 4, ["1"] * 4, completion_ids=ids), reward([wrong] * 4, ["1"] * 4, completion_ids=ids)
    ([1.0, 0.75, 0.5, 0.5], [-1.0, -0.75, -0.5, -0.5])
    """

    max_tokens: int = 3584
    short_correct: float = 1.0
    long_correct: float = 0.5
    short_wrong: float = -1.0
    long_wrong: float = -0.5
    accuracy: AccuracyReward = accuracy_reward
    __name__: ClassVar[str] = "cosine_length_reward"

    def __post_init__(self) -> None:
        if not self.max_tokens > 0:
            raise UsageError(f"cosine_length_reward got max_tokens={self.max_tokens}; expected a positive number")

    def __call__(
        self, completions: Completions, solution: Sequence[object], completion_ids: Ids, **columns: Any
    ) -> list[float | None]:
        """The rewards of N completions.

        Args:
            completions: N texts or chats.
            solution: N golds.
            completion_ids: N lists of token ids, of which the lengths count.
            columns: passed on to `accuracy`, which logs its timeouts.

        Returns:
            N rewards; None where the gold allows no comparison.

        Raises:
            UsageError: the columns differ in length.
        """
        scores = self.accuracy(completions, solution, **columns)
        rows = zip(scores, completion_ids, strict=True)
        return [None if score is None else self._scaled(bool(score), len(ids)) for score, ids in rows]

    def _scaled(self, correct: bool, length: int) -> float:
        short, long = (self.short_correct, self.long_correct) if correct else (self.short_wrong, self.long_wrong)
        return long + 0.5 * (short - long) * (1 + math.cos(math.pi * min(length / self.max_tokens, 1.0)))


cosine_length_reward = CosineLengthReward()
