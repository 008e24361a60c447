"""What goes into a method and what comes out: `Rollouts` -> `Adjusted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from dra_grpo.core.groups import GroupIndex
from dra_grpo.errors import UsageError

Stage = Literal["reward", "advantage"]


@dataclass(frozen=True, eq=False)
class Rollouts:
    """N scored completions of B prompts, as flat rows in any order.

    Attributes:
        rewards: (N,), NaN where a completion could not be scored; integers and bools are promoted.
        groups: integer (N,), which prompt each row answers.
        embeddings: (N, D), any float dtype; rows without a score are not looked at.
        correct: bool (N,), from the accuracy reward alone; None means rewards > 0.
        logprobs: (N,), each completion's mean token log-probability under the policy that sampled it.
        answers: N canonical final answers, None where there is none.
        texts: N completions.

    Raises:
        ValueError: shapes that do not fit, or NaN or infinity in the embedding of a scored row.

    Example:
        >>> rollouts = Rollouts(torch.tensor([1., 0., torch.nan]), torch.tensor([4, 4, 9]))
        >>> rollouts.scored, rollouts.is_correct
        (tensor([ True,  True, False]), tensor([ True, False, False]))
    """

    rewards: Tensor
    groups: Tensor
    embeddings: Tensor | None = None
    correct: Tensor | None = None
    logprobs: Tensor | None = None
    answers: Sequence[str | None] | None = None
    texts: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.rewards.dim() != 1:
            raise UsageError(
                f"Rollouts takes flat rewards (N,) and one group id a row; got shape {tuple(self.rewards.shape)}"
            )
        for name in ("groups", "correct", "logprobs"):
            value = getattr(self, name)
            if value is not None and value.shape != self.rewards.shape:
                raise UsageError(
                    f"{name} must be shaped like rewards, {tuple(self.rewards.shape)}; got {tuple(value.shape)}"
                )
        for name in ("answers", "texts"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.rewards):
                raise UsageError(f"{name} must hold one entry a reward, {len(self.rewards)}; got {len(value)}")
        if not self.rewards.is_floating_point():
            object.__setattr__(self, "rewards", self.rewards.float())
        if self.embeddings is not None:
            self._check_embeddings(self.embeddings)

    def _check_embeddings(self, embeddings: Tensor) -> None:
        if embeddings.dim() != 2 or len(embeddings) != len(self.rewards):
            raise UsageError(
                f"embeddings must be (N, D) with one row a reward; got {tuple(embeddings.shape)} "
                f"for rewards of shape {tuple(self.rewards.shape)}"
            )
        if not embeddings.is_floating_point():
            raise UsageError(f"embeddings must be floating point; got {embeddings.dtype}")
        if embeddings.shape[1] == 0 and len(embeddings):
            raise UsageError(f"embeddings must have at least one feature; got shape {tuple(embeddings.shape)}")
        # A sum passes over the embeddings ten times faster than isfinite().all(); where it overflows, look closer.
        broken = self.scored & ~embeddings.detach().sum(-1).isfinite()
        if broken.any():
            broken &= ~embeddings.isfinite().all(-1)
        if broken.any():
            rows = broken.nonzero().flatten().tolist()
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise UsageError(f"embedding of row {rows[0]}{more} holds NaN or infinity; expected finite numbers")

    @cached_property
    def index(self) -> GroupIndex:
        """Where each row stands in its group."""
        return GroupIndex.from_ids(self.groups)

    @cached_property
    def scored(self) -> Tensor:
        """bool (N,), the rows whose reward is not NaN."""
        return ~self.rewards.isnan()

    @cached_property
    def is_correct(self) -> Tensor:
        """bool (N,), `correct` where it is given and rewards > 0 where not; never an unscorable row."""
        return self.scored & (self.rewards > 0 if self.correct is None else self.correct.bool())

    @cached_property
    def precise_rewards(self) -> Tensor:
        """The rewards in at least float32."""
        return self.rewards.to(torch.promote_types(self.rewards.dtype, torch.float32))


@dataclass(frozen=True, eq=False)
class Adjusted:
    """What a method made of the rewards.

    Attributes:
        rewards: adjusted rewards; the raw ones at the advantage stage.
        weights: adjusted over raw reward (1 where the raw one is 0 and the method defines no weight of its own).
        smi: each row's SMI with its group; 0 where the method measures none.
        stage: "reward": the engine computes advantages from `rewards`. "advantage": it takes `advantages`.
        advantages: None at the reward stage.

    All are shaped like the raw rewards. Unscorable rows are NaN in rewards, weights and smi, and 0 in advantages.
    """

    rewards: Tensor
    weights: Tensor
    smi: Tensor
    stage: Stage = "reward"
    advantages: Tensor | None = None

    @classmethod
    def from_weights(cls, rollouts: Rollouts, weights: Tensor, smi: Tensor) -> Adjusted:
        """R̃ = R·w, with the unscorable rows marked."""
        blank = torch.where(rollouts.scored, 0.0, torch.nan)
        return cls(rollouts.precise_rewards * weights + blank, weights + blank, smi + blank)

    @classmethod
    def from_rewards(cls, rollouts: Rollouts, rewards: Tensor, smi: Tensor | None = None) -> Adjusted:
        """Adjusted rewards as they are, weights being R̃/R."""
        raw = rollouts.precise_rewards
        blank = torch.where(rollouts.scored, 0.0, torch.nan)
        weights = torch.where(raw == 0, 1.0, rewards / torch.where(raw == 0, 1.0, raw))
        return cls(rewards + blank, weights + blank, (torch.zeros_like(raw) if smi is None else smi) + blank)

    @classmethod
    def from_advantages(
        cls, rollouts: Rollouts, advantages: Tensor, weights: Tensor | None = None, smi: Tensor | None = None
    ) -> Adjusted:
        """Advantages in place of the engine's own; the rewards stay raw."""
        raw = rollouts.precise_rewards
        blank = torch.where(rollouts.scored, 0.0, torch.nan)
        return cls(
            raw,
            (torch.ones_like(raw) if weights is None else weights) + blank,
            (torch.zeros_like(raw) if smi is None else smi) + blank,
            "advantage",
            torch.where(rollouts.scored, advantages, 0.0),
        )

    def reshape(self, shape: Sequence[int]) -> Adjusted:
        """The same with every tensor in another shape."""
        advantages = None if self.advantages is None else self.advantages.reshape(shape)
        rewards, weights, smi = (x.reshape(shape) for x in (self.rewards, self.weights, self.smi))
        return Adjusted(rewards, weights, smi, self.stage, advantages)
