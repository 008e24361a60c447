"""A penalty for saying the same thing again: the share of n-grams that are repeats."""

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from dra_grpo.completions import Completions, Ids, completion_text
from dra_grpo.errors import UsageError

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class RepetitionPenalty:
    """R = max_penalty · (1 − distinct n-grams / n-grams), in [max_penalty, 0]; 0 for fewer than n units.

    "Demystifying Long Chain-of-Thought Reasoning", arXiv 2502.03373, section 4.3, here over the whole completion.

    Args:
        n: units in an n-gram.
        max_penalty: the limit that endless repetition approaches; at most 0.
        unit: "words" (lower-cased, each punctuation mark one word) or "tokens" (`completion_ids`, which TRL passes).
            A text without spaces is one word, whatever it repeats: only tokens see that.

    Raises:
        UsageError: an argument is out of range.

    >>> RepetitionPenalty(n=2)(["a b c d", "so so so so so", "hi"])
    [0.0, -0.75, 0.0]
    >>> RepetitionPenalty(n=2, unit="tokens")(["aaaaa"], completion_ids=[[7, 7, 7, 7, 7]])
    [-0.75]
    """

    n: int = 3
    max_penalty: float = -1.0
    unit: Literal["words", "tokens"] = "words"
    __name__: ClassVar[str] = "repetition_penalty"

    def __post_init__(self) -> None:
        if self.n < 1 or self.unit not in ("words", "tokens"):
            found = f"n={self.n}, unit={self.unit!r}"
            raise UsageError(f"repetition_penalty got {found}; expected 1 or more, and 'words' or 'tokens'")

    def __call__(self, completions: Completions, completion_ids: Ids | None = None, **columns: Any) -> list[float]:
        """The rewards of N completions (texts or chats); `columns` are unused.

        Raises:
            UsageError: tokens are to be counted and `completion_ids` is missing.
        """
        if self.unit == "words":
            return [self._penalty(_WORD.findall(completion_text(text).lower())) for text in completions]
        if completion_ids is None:
            raise UsageError("repetition_penalty by tokens got no completion_ids; pass them, or use unit='words'")
        return [self._penalty(ids) for ids in completion_ids]

    def _penalty(self, units: Sequence[Hashable]) -> float:
        grams = list(zip(*(units[start:] for start in range(self.n)), strict=False))
        if not grams or len(set(grams)) == len(grams):
            return 0.0
        return self.max_penalty * (1 - len(set(grams)) / len(grams))


repetition_penalty = RepetitionPenalty()
