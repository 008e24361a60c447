"""What goes into a method and what comes out: `Rollouts` -> `Adjusted`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core.advantages import Scale, grpo_advantages
from dra_grpo.core.columns import column, entries, floating
from dra_grpo.core.groups import GroupIndex, flatten_groups
from dra_grpo.errors import UsageError

Stage = Literal["reward", "advantage"]


@dataclass(frozen=True, eq=False)
class Rollouts:
    """N scored completions of B prompts, as flat rows in any order.

    Tensors, arrays, lists and data-frame columns are taken alike, (N, ...) with groups or (B, G, ...) without, and are
    flat tensors on the rewards' device afterwards.

    Attributes:
        rewards: (N,), NaN or infinite where a completion could not be scored; integers and bools are promoted.
        groups: (N,), which prompt each row answers: integers, or strings and other hashable ids; 0 … B-1 afterwards.
        embeddings: (N, D), any float dtype, integers are promoted; rows without a score are not looked at.
        correct: bool (N,), from the accuracy reward alone; None means rewards > 0.
        logprobs: (N,), each completion's log-probability under the policy that sampled it, summed over its own tokens.
        answers: N canonical final answers, None where there is none.
        texts: N completions.
        lengths: (N,), each completion's own tokens, over which `logprobs` sums.
        index: where each row stands in its group.
        shape: what the rewards came in, (N,) or (B, G).

    Raises:
        ValueError: shapes that do not fit, or NaN or infinity in the embedding of a scored row.

    Example:
        >>> rollouts = Rollouts([1., 0., None], ["a", "a", "b"])
        >>> rollouts.scored, rollouts.is_correct
        (tensor([ True,  True, False]), tensor([ True, False, False]))
    """

    rewards: Tensor | Any
    groups: Tensor | Any = None
    embeddings: Tensor | Any = None
    correct: Tensor | Any = None
    logprobs: Tensor | Any = None
    answers: Sequence[Any] | Any = None
    texts: Sequence[Any] | Any = None
    lengths: Tensor | Any = None
    index: GroupIndex = field(init=False, repr=False)
    shape: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rewards, index, shape = flatten_groups(self.rewards, self.groups)
        found = dict(vars(self), rewards=floating(rewards), groups=index.group, index=index, shape=shape)
        for name in ("embeddings", "correct", "logprobs", "lengths"):
            if found[name] is not None:
                value = column(found[name], name).to(rewards.device)
                last = value.shape[-1:] if name == "embeddings" else ()
                if tuple(value.shape) != (*shape, *last):
                    expected = f"{shape}{' with a last dimension D' if last else ''}"
                    raise UsageError(f"{name} must be shaped like rewards, {expected}; got {tuple(value.shape)}")
                value = floating(value) if name == "embeddings" else value
                found[name] = value.reshape(len(rewards), *value.shape[len(shape) :])
        for name in ("answers", "texts"):
            found[name] = None if found[name] is None else entries(found[name], name, shape)
        vars(self).update(found)
        if self.embeddings is not None:
            self._check_embeddings(self.embeddings)

    def _check_embeddings(self, embeddings: Tensor) -> None:
        # A sum passes over the embeddings ten times faster than isfinite().all(); where it overflows, look closer.
        doubtful = (self.scored & ~embeddings.detach().sum(-1).isfinite()).nonzero().flatten()
        rows = doubtful[~embeddings[doubtful].isfinite().all(-1)].tolist()
        if rows:
            more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
            raise UsageError(f"embedding of row {rows[0]}{more} holds NaN or infinity; expected finite numbers")

    @cached_property
    def scored(self) -> Tensor:
        """bool (N,), the rows whose reward is a finite number."""
        return self.rewards.isfinite()

    @cached_property
    def scored_embeddings(self) -> Tensor:
        """The embeddings (N, D), 0 where a row is unscorable."""
        return self.embeddings if self.scored.all() else self.embeddings.masked_fill(~self.scored[:, None], 0.0)

    @cached_property
    def is_correct(self) -> Tensor:
        """bool (N,), `correct` where it is given and rewards > 0 where not; never an unscorable row."""
        return self.scored & ((self.rewards if self.correct is None else self.correct) > 0)

    @cached_property
    def precise_rewards(self) -> Tensor:
        """The rewards in at least float32, NaN where a row is unscorable."""
        precise = self.rewards.to(torch.promote_types(self.rewards.dtype, torch.float32))
        return precise.masked_fill(~self.scored, torch.nan)


@dataclass(frozen=True, eq=False)
class Adjusted:
    """What a method made of the rewards.

    Attributes:
        rewards: adjusted rewards; the raw ones at the advantage stage.
        weights: adjusted over raw reward (1 where the raw one is 0 and the method defines no weight of its own).
        smi: each row's SMI with its group; 0 where the method measures none (given as None).
        index: the groups, over flat rows.
        advantages: None at the reward stage.
        std_floor: least σ that rewards of the reward stage are divided by.
        measures_smi: whether the method measures SMI at all.

    The tensors are shaped like the raw rewards. Rows that are unscorable, or whose adjusted reward is infinite, are
    NaN in rewards, weights and smi, and 0 in advantages.
    """

    rewards: Tensor
    weights: Tensor
    smi: Tensor | Any
    index: GroupIndex
    advantages: Tensor | None = None
    std_floor: float = 0.0
    measures_smi: bool = True

    def __post_init__(self) -> None:
        if self.smi is None:
            vars(self).update(smi=torch.zeros_like(self.rewards), measures_smi=False)
        lost = ~self.rewards.isfinite()
        for name in ("rewards", "weights", "smi"):
            vars(self)[name] = getattr(self, name).masked_fill(lost, torch.nan)
        if self.advantages is not None:
            vars(self)["advantages"] = self.advantages.masked_fill(lost | ~self.advantages.isfinite(), 0.0)

    @property
    def stage(self) -> Stage:
        """ "reward": advantages are computed from `rewards`. "advantage": `advantages` are the method's own."""
        return "reward" if self.advantages is None else "advantage"

    def to_advantages(self, scale: Scale = "group", eps: float = 1e-4) -> Tensor:
        """What to train on: the method's own advantages, or GRPO's of the adjusted rewards with its `std_floor`.

        Args:
            scale, eps: see `grpo_advantages`. At the advantage stage they are not looked at: there `scale` and `eps`
                are options of the methods that divide by σ.

        Returns:
            Shaped like the rewards; finite, 0 for unscorable rows.

        Example:
            >>> rollouts = Rollouts([1., 0., 0., 1.], [0, 0, 0, 0])
            >>> Adjusted.from_rewards(rollouts, rollouts.rewards).to_advantages()
            tensor([ 0.8659, -0.8659, -0.8659,  0.8659])
        """
        if self.advantages is not None:
            return self.advantages
        flat = self.rewards.reshape(-1)
        return grpo_advantages(flat, self.index.group, scale, eps, self.std_floor).reshape(self.rewards.shape)

    @classmethod
    def from_weights(
        cls, rollouts: Rollouts, weights: Tensor, smi: Tensor | None = None, std_floor: float = 0.0
    ) -> Adjusted:
        """R̃ = R·w."""
        return cls(rollouts.precise_rewards * weights, weights, smi, rollouts.index, std_floor=std_floor)

    @classmethod
    def from_rewards(cls, rollouts: Rollouts, rewards: Tensor) -> Adjusted:
        """Adjusted rewards as they are, weights being R̃/R."""
        raw = rollouts.precise_rewards
        weights = torch.where(raw == 0, 1.0, rewards / raw)
        return cls(torch.where(rollouts.scored, rewards, torch.nan), weights, None, rollouts.index)

    @classmethod
    def from_advantages(
        cls, rollouts: Rollouts, advantages: Tensor, weights: Tensor | None = None, smi: Tensor | None = None
    ) -> Adjusted:
        """Advantages in place of the engine's own; the rewards stay raw."""
        weights = torch.ones_like(advantages) if weights is None else weights
        return cls(rollouts.precise_rewards, weights, smi, rollouts.index, advantages)

    def reshape(self, shape: Sequence[int]) -> Adjusted:
        """The same with every tensor in another shape."""
        tensors = {name: getattr(self, name) for name in ("rewards", "weights", "smi", "advantages")}
        return replace(self, **{name: x.reshape(shape) for name, x in tensors.items() if x is not None})
