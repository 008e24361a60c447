"""Random numbers that depend on (seed, step) alone: the same in every process, and the global RNG is not touched."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from dra_grpo.core.groups import GroupIndex


def generator(seed: int, step: int) -> torch.Generator:
    """A CPU generator for this seed at this training step.

    >>> torch.equal(torch.rand(2, generator=generator(0, 7)), torch.rand(2, generator=generator(0, 7)))
    True
    """
    return torch.Generator("cpu").manual_seed(random.Random(f"{seed}:{step}").getrandbits(63))


def shuffled(rows: Tensor, index: GroupIndex, among: Tensor, numbers: torch.Generator) -> Tensor:
    """Rows (N,) with the values of the rows in the bool mask `among` (N,) shuffled within each group.

    The shuffle is keyed by group and place in the group, so rows of different groups may stand in any order.
    """
    taking_part = index.pad(among, False)
    keys = torch.rand(index.shape, generator=numbers, device="cpu").to(rows.device)
    places = torch.argsort((~taking_part).int(), dim=1, stable=True)
    drawn = torch.argsort(keys.masked_fill(~taking_part, torch.inf), dim=1, stable=True)
    padded = index.pad(rows)
    return index.unpad(padded.scatter(1, places, padded.gather(1, drawn)))
