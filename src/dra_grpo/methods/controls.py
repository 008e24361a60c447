"""Controls: what a comparison with DRA needs beside it, to show that diversity is why."""

from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core import SMI, Adjusted, GroupIndex, Rollouts
from dra_grpo.core.combinatorics import generator
from dra_grpo.methods.dra import dra


def none(rollouts: Rollouts) -> Adjusted:
    """R̃ = R.

    Example:
        >>> none(Rollouts(torch.tensor([1., 0.]), torch.tensor([0, 0]))).rewards
        tensor([1., 0.])

    Source: GRPO, arXiv 2402.03300.
    """
    return Adjusted.from_weights(rollouts, torch.ones_like(rollouts.precise_rewards))


def permuted(
    rollouts: Rollouts, *, among: Literal["scored", "correct"] = "scored", seed: int = 0, step: int = 0, **options: Any
) -> Adjusted:
    """R̃_i = R_i / (1 + SMI_π(i)), π a random permutation within the group: if this helps, diversity is not why.

    Args:
        rollouts: as for `dra`.
        among: whose weights are shuffled. "scored" (`permuted`) keeps the group's mean weight, and its mean reward in
            expectation only; "correct" (`permuted-correct`) keeps the mean weight of the correct completions exactly,
            so that with equal rewards the mean reward does not move, and leaves the wrong ones what DRA gives them.
        seed, step: the permutation is a function of these and the row's place in its group; whoever calls counts
            `step` up with every generation, so that no two share a draw.
        **options: `dra`'s; gate, normalisation and rules for negative and wrong rewards follow the shuffle.

    Returns:
        `Adjusted` at the reward stage; `smi` is the shuffled one.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings)
        >>> sorted(permuted(rollouts, step=5).weights.tolist())
        [0.5, 0.5, 1.0]

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control.
    """
    rows = rollouts.scored if among == "scored" else rollouts.is_correct
    value = dra(rollouts, **options).smi.nan_to_num(0.0)
    return dra(rollouts, shuffled(value, rollouts.index, rows, generator(seed, step)), **options)


def shuffled(rows: Tensor, index: GroupIndex, among: Tensor, numbers: torch.Generator) -> Tensor:
    """Rows (N,) with the values of the rows in the bool mask `among` (N,) shuffled within each group.

    The shuffle is keyed by group and place in the group, so rows of different groups may stand in any order.
    """
    keys = torch.rand(len(rows), generator=numbers, device="cpu").to(rows.device)[index.place]

    def by_place(rows: Tensor, keys: Tensor, among: Tensor) -> Tensor:
        places = torch.argsort((~among).int(), dim=1, stable=True)
        drawn = torch.argsort(keys.masked_fill(~among, torch.inf), dim=1, stable=True)
        return rows.scatter(1, places, rows.gather(1, drawn))

    return index.map(by_place, rows, keys, among)


def random_embeddings(
    rollouts: Rollouts, *, match: bool = True, dim: int = 384, seed: int = 0, step: int = 0, **options: Any
) -> Adjusted:
    """DRA with x_i ~ N(0, 1): weights of DRA's size without DRA's knowledge.

    Args:
        rollouts: with embeddings where `match`.
        match: rescale each group's weights to the mean weight that `dra` with the same options gives its correct rows
            (its scored rows where none is correct), so that the arms differ in who is weighted and not in how much.
            The rules for negative and wrong rewards come after it, so that what they keep is kept.
        dim: D of the random embeddings; cosines spread by about 1/√dim.
        seed, step: the embeddings are a function of these and the row's place in its group; whoever calls counts
            `step` up with every generation.
        **options: `dra`'s.

    Returns:
        `Adjusted` at the reward stage; `smi` is that of the random embeddings.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.]])
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), embeddings)
        >>> random_embeddings(rollouts).weights.mean(), dra(rollouts).weights.mean()
        (tensor(0.6667), tensor(0.6667))

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control.
    """
    noise = torch.randn(len(rollouts.rewards), dim, generator=generator(seed, step), device="cpu")
    blind = replace(rollouts, embeddings=noise.to(rollouts.rewards.device)[rollouts.index.place])
    value = dra(blind, **options).smi.nan_to_num(0.0)
    return dra(rollouts, value, _target(rollouts, match, options), **options)


def length(rollouts: Rollouts, *, match: bool = True, **options: Any) -> Adjusted:
    """DRA with S_ij = min(l_i, l_j) / max(l_i, l_j), l = 1 + characters: does DRA see more than length?

    Args:
        rollouts: with texts, and embeddings where `match`.
        match: as for `random_embeddings`.
        **options: `dra`'s.

    Returns:
        `Adjusted` at the reward stage.

    Example:
        >>> rollouts = Rollouts(torch.ones(3), torch.zeros(3, dtype=torch.long), texts=["abc", "xyz", "1234567"])
        >>> length(rollouts, match=False).weights
        tensor([0.4000, 0.4000, 0.5000])

    Source: DRA-GRPO, arXiv 2505.09655, of which it is the control; the kernel is exp(−|log l_i − log l_j|).
    """
    smi = SMI[options.get("smi", "graph_cut")]
    company = rollouts.is_correct if options.get("correct_only") else rollouts.scored
    characters = rollouts.precise_rewards.new_tensor([1.0 + len(text) for text in rollouts.texts])

    def measured(log: Tensor, company: Tensor) -> Tensor:
        return smi(torch.exp(-(log[:, :, None] - log[:, None, :]).abs()), company=company)

    value = rollouts.index.map(measured, characters.log(), company)
    value = torch.where(rollouts.scored, value, 0.0)
    return dra(rollouts, value, _target(rollouts, match, options), **options)


def _target(rollouts: Rollouts, match: bool, options: dict[str, Any]) -> Tensor | None:
    """The weights of `dra` with these options, before the rules for negative and wrong rewards."""
    return dra(rollouts, **{**options, "negative": "scale", "wrong": "scale"}).weights if match else None
