"""The reference advantages that every engine is held against."""

from typing import Any, Literal

import torch
from torch import Tensor

from dra_grpo.core.groups import flatten_groups
from dra_grpo.errors import UsageError

Scale = Literal["group", "batch", "none"]


def grpo_advantages(
    rewards: Any,
    groups: Any = None,
    scale: Scale = "group",
    eps: float = 1e-4,
    std_floor: float = 0.0,
) -> Tensor:
    """A_i = (R_i − mean_group R) / (max(σ, std_floor) + eps), σ with Bessel's correction.

    Args:
        rewards: (B, G), or (N,) with `groups`, or (N,) as one group: a tensor, an array, a list or a column. NaN and
            infinity mark rows that could not be scored.
        groups: (N,) group ids, integers or strings in any order; None for a 2-D `rewards` or a single group.
        scale: σ over the "group" (GRPO), over the whole "batch", or "none" (Dr.GRPO: the centred reward, undivided).
        eps: added to σ; TRL's value is 1e-4.
        std_floor: least σ that is divided by, so that differences much smaller than the reward's own stay small.

    Returns:
        Shaped like `rewards`, at least float32. Unscorable rows are left out of mean and σ and get 0, and so does the
        only scored row of a group. Every advantage is finite: one that leaves the range of floats is 0.

    Raises:
        ValueError: shapes that do not fit, or an unknown `scale`.

    Example:
        >>> grpo_advantages(torch.tensor([[1., 0., 0., 1.], [1., 1., 1., 1.]]))
        tensor([[ 0.8659, -0.8659, -0.8659,  0.8659],
                [ 0.0000,  0.0000,  0.0000,  0.0000]])

    Source: GRPO, arXiv 2402.03300, eq. 3 and 4.1.2; Dr.GRPO, arXiv 2503.20783, eq. 3; TRL's `GRPOTrainer`.
    """
    if scale not in ("group", "batch", "none"):
        raise UsageError(f"unknown scale {scale!r}; expected 'group', 'batch' or 'none'")
    flat, index, shape = flatten_groups(rewards, groups)
    flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
    scored = flat.isfinite()
    centred = torch.where(scored, flat - index.mean(flat, scored)[index.group], 0.0)
    if scale == "batch":
        std = flat[scored].std() if scored.sum() > 1 else flat.new_zeros(())
    else:
        count = index.sum(scored.to(flat.dtype))
        std = (index.sum(centred.square()) / (count - 1).clamp(min=1)).sqrt()[index.group]
    advantages = centred if scale == "none" else centred / (std.clamp(min=std_floor) + eps)
    return torch.where(advantages.isfinite(), advantages, 0.0).reshape(shape)
