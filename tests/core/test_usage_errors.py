"""Input that does not fit: one line that names what was found."""

from __future__ import annotations

import pytest
import torch

from dra_grpo import Rollouts, adjust_rewards, grpo_advantages
from dra_grpo.core import GroupIndex
from dra_grpo.errors import UsageError


def one_line(call, *parts, error=UsageError):
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


@pytest.mark.parametrize(
    "rewards, groups", [((3,), (2,)), ((2, 3), (2, 3)), ((2, 3), (6,)), ((), (1,)), ((1, 2, 3), None)]
)
def test_groups_that_do_not_fit_name_both_shapes(rewards, groups):
    ids = None if groups is None else torch.zeros(groups, dtype=torch.long)
    parts = ["(B, G) without groups", str(rewards), "no groups" if groups is None else str(groups)]
    one_line(lambda: adjust_rewards(torch.ones(rewards), torch.ones(*rewards, 2), ids), *parts)
    one_line(lambda: grpo_advantages(torch.ones(rewards), ids), *parts)


def test_group_ids_must_be_integers():
    one_line(lambda: GroupIndex.from_ids(torch.ones(3)), "one integer or string a row", "torch.float32", "(3,)")
    one_line(lambda: GroupIndex.from_ids(torch.ones(3, 1).long()), "one id a row", "(3, 1)")


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_broken_embeddings_name_the_row(broken, dtype):
    x = torch.ones(2, 3, 4, dtype=dtype)
    x[1, 1, 2] = broken
    message = one_line(lambda: adjust_rewards(torch.ones(2, 3), x))
    assert message == "embedding of row 4 holds NaN or infinity; expected finite numbers"
    x[1, 2] = broken
    one_line(lambda: adjust_rewards(torch.ones(2, 3), x), "row 4 (and 1 more)")


def test_embeddings_whose_sum_overflows_are_not_broken():
    x = torch.full((3, 8), 3e38)
    assert adjust_rewards(torch.ones(3), x).weights.tolist() == pytest.approx([1 / 3] * 3)
    half = torch.full((3, 8), 6e4, dtype=torch.float16)
    assert adjust_rewards(torch.ones(3), half).weights.tolist() == pytest.approx([1 / 3] * 3)


def test_rollouts_that_do_not_fit_name_both_shapes():
    ids = torch.zeros(3, dtype=torch.long)
    one_line(lambda: Rollouts(torch.ones(3), ids, torch.ones(2, 4)), "(3,)", "(2, 4)")
    one_line(lambda: Rollouts(torch.ones(3), None, torch.ones(3)), "embeddings", "(3,) with a last dimension D")
    one_line(lambda: Rollouts(torch.ones(2, 3), None, torch.ones(6, 2)), "(2, 3)", "(6, 2)")
    one_line(lambda: Rollouts(torch.ones(2, 3), correct=torch.ones(6).bool()), "correct", "(2, 3)", "(6,)")
    one_line(lambda: Rollouts(torch.ones(3), ids, logprobs=torch.ones(4)), "logprobs", "(3,)", "(4,)")
    one_line(lambda: Rollouts(torch.ones(3), ids, texts=["a"]), "texts must hold one entry a reward, 3; got 1")
    ragged = [["a", "b", "c"], ["d"]]
    one_line(lambda: Rollouts(torch.ones(2, 2), texts=ragged), "texts must hold one entry a reward, 4; got 2")
    one_line(lambda: Rollouts(torch.ones(3), ids, answers=["a"] * 4), "answers must hold one entry a reward, 3; got 4")


def test_unknown_scale():
    one_line(lambda: grpo_advantages(torch.ones(2), scale="groups"), "scale 'groups'", "'group', 'batch' or 'none'")
