"""Tensors, arrays, lists and data-frame columns are taken alike; a group may be called anything hashable."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dra_grpo import Rollouts, adjust_rewards, grpo_advantages
from dra_grpo.errors import UsageError

pd = pytest.importorskip("pandas")

REWARDS = [1.0, 0.0, 0.5, 1.0, math.nan]
X = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
LOGPROBS = [-1.0, -2.0, -0.5, -3.0, -1.0]
CORRECT = [True, False, True, True, False]
GROUPS = [7, 2, 7, 7, 2]
NAMES = ["b", "a", "b", "b", "a"]
FRAME = pd.DataFrame(
    {"r": REWARDS, "x": X, "l": LOGPROBS, "c": CORRECT, "g": GROUPS, "n": NAMES}, index=[9, 3, 3, 0, 5]
)


def read_only_and_backwards(values):
    array = np.array(values)[::-1].copy()
    array.flags.writeable = False
    return array[::-1]


CONTAINERS = {
    "lists": lambda name, values: values,
    "tuples": lambda name, values: tuple(values),
    "arrays": lambda name, values: np.array(values),
    "read-only arrays": lambda name, values: read_only_and_backwards(values),
    "list of arrays": lambda name, values: [np.array(value)[()] for value in values],
    "list of tensors": lambda name, values: [torch.tensor(v) if not isinstance(v, str) else v for v in values],
    "columns": lambda name, values: FRAME[name],
    "categories": lambda name, values: FRAME[name].astype("category") if name in "gn" else FRAME[name],
}


@pytest.mark.parametrize("ids", ["g", "n"])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.filterwarnings("error")
def test_every_container_gives_what_tensors_give(assert_same, container, ids):
    make = CONTAINERS[container]
    groups = make(ids, GROUPS if ids == "g" else NAMES)
    rewards, embeddings = make("r", REWARDS), make("x", X)
    given = {"correct": make("c", CORRECT), "logprobs": make("l", LOGPROBS)}
    tensors = [torch.tensor(values) for values in (REWARDS, X, GROUPS)]
    expected = adjust_rewards(*tensors, correct=torch.tensor(CORRECT), correct_only=True)
    found = adjust_rewards(rewards, embeddings, groups, **given, correct_only=True)
    assert_same(found, expected, atol=1e-6)
    advantages = grpo_advantages(tensors[0], tensors[2])
    torch.testing.assert_close(grpo_advantages(rewards, groups), advantages, check_dtype=False)
    rollouts = Rollouts(rewards, groups, embeddings, **given, texts=FRAME["n"], answers=FRAME["n"])
    assert rollouts.is_correct.tolist() == CORRECT
    assert rollouts.texts == rollouts.answers == NAMES
    assert adjust_rewards(rewards, None, groups, method="unlikeliness", **given).weights[0] == 1 - 0.25 / 3


def test_two_dimensions_of_lists():
    found = adjust_rewards([[1, None], [1.0, 1.0]], [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])
    torch.testing.assert_close(found.rewards, torch.tensor([[1.0, torch.nan], [0.5, 0.5]]), equal_nan=True)
    assert Rollouts([[1, 0], [0, 1]], texts=[["a", "b"], ["c", "d"]]).texts == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "ids",
    [
        ["x", 3, "x"],
        [("a", 1), ("a", 2), ("a", 1)],
        [10**30, 5, 10**30],
        np.array(["p", "q", "p"]),
        [True, False, True],
    ],
)
def test_ids_are_anything_hashable(ids):
    assert Rollouts([1.0, 0.0, 1.0], ids).index.group.bincount().sort().values.tolist() == [1, 2]


def test_the_number_of_a_named_group_does_not_hang_on_the_order_of_rows():
    assert Rollouts([1.0, 1.0, 1.0], ["b", "a", "c"]).groups.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([1.0, "a"], [0, 0]), "rewards must be numbers in a tensor, an array, a list or a column; got list"),
        ((1.0, [0]), "rewards must be numbers .* got float"),
        (([1.0, 1.0], None, [[1.0], [1.0, 2.0]]), "embeddings must be numbers .* got list"),
        (([1.0, 1.0], [0, None]), "groups must be one integer or string a row; got torch.float"),
        (([1.0, 1.0], ["a", None]), "groups must be one integer or string a row; got None"),
        (([1.0, 1.0], [{}, {}]), "groups must be one integer or string a row; got list: unhashable"),
    ],
    ids=["text", "number", "ragged", "no id", "no name", "unhashable"],
)
def test_what_cannot_be_taken_is_named_in_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as error:
        Rollouts(*arguments)
    assert "\n" not in str(error.value)
