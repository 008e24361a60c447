"""EVOL-RL: correctness decides the sign, novelty the size (arXiv 2509.15194)."""

import torch
from torch import Tensor

from dra_grpo.core import Adjusted, Rollouts, group_similarity


def evol(rollouts: Rollouts) -> Adjusted:
    """R̃ = ½ + ½u_i if correct, −1 + ½u_i if wrong, −1 without an answer; u the novelty, min-max scaled in its class.

    Novelty is 1 − ½·mean_j S_ij over its class − ½·max_j S_ij over all, S the cosine clamped to [0, 1] and a class the
    correct or the wrong completions of the group. A class without spread (copies, or one row) has u = ½.

    Args:
        rollouts: with embeddings; where they carry answers, a row whose answer is None could not be parsed: it gets −1
            and takes no part in the others' novelty.

    Returns:
        `Adjusted` at the reward stage, blind to the size of R; a group of one scored row keeps its R.

    Example:
        >>> embeddings = torch.tensor([[1., 0.], [1., 0.], [0., 1.], [1., 0.]])
        >>> rollouts = Rollouts(torch.tensor([1., 1., 1., 0.]), torch.zeros(4, dtype=torch.long), embeddings)
        >>> evol(rollouts).rewards
        tensor([ 0.5000,  0.5000,  1.0000, -0.7500])

    Source: arXiv 2509.15194; YujunZhou/EVOL-RL, `semantic_novelty.py`. Different here: correctness is given and not
    the group's majority; u of a class of one is ½, there 1; and the one parsable row of a group keeps its place, where
    the released code gives it −1.
    """
    parsed = torch.ones_like(rollouts.scored)
    if rollouts.answers is not None:
        parsed = parsed.new_tensor([answer is not None for answer in rollouts.answers])

    def novelty_rewards(embeddings: Tensor, scored: Tensor, correct: Tensor, parsed: Tensor) -> Tensor:
        valid = scored & parsed
        similarity = group_similarity(embeddings, scored, "cosine_clamped")
        other = valid[:, None, :] & ~torch.eye(valid.shape[1], dtype=torch.bool, device=valid.device)
        alike = other & (correct[:, :, None] == correct[:, None, :])
        mean = (similarity * alike).sum(-1) / alike.sum(-1).clamp(min=1)
        novelty = 1 - mean / 2 - (similarity * other).amax(-1) / 2
        unit = torch.full_like(novelty, 0.5)
        for members in (valid & correct, valid & ~correct):
            low = novelty.masked_fill(~members, torch.inf).amin(1, keepdim=True)
            spread = novelty.masked_fill(~members, -torch.inf).amax(1, keepdim=True) - low
            # What is left of copies after rounding is no novelty.
            unit = torch.where(members & (spread > 1e-6), (novelty - low) / spread, unit)
        rewards = torch.where(correct, 0.5 + unit / 2, unit / 2 - 1).masked_fill(~valid, -1.0)
        return torch.where(scored.sum(1, keepdim=True) == 1, torch.nan, rewards)

    columns = rollouts.scored_embeddings, rollouts.scored, rollouts.is_correct, parsed
    rewards = rollouts.index.map(novelty_rewards, *columns).to(rollouts.precise_rewards.dtype)
    return Adjusted.from_rewards(rollouts, rewards.where(~rewards.isnan(), rollouts.precise_rewards))
