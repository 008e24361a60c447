from __future__ import annotations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.rewards.countdown import countdown_reward, step_validity

REWARDS = [countdown_reward, step_validity]
SOLUTION = "3+5=8,8*2=16"


def chat(content: object) -> list[dict]:
    return [{"role": "assistant", "content": content}]


def columns(rows: int) -> dict:
    return {"numbers": [[3, 5, 2]] * rows, "target": [16] * rows}


@pytest.mark.parametrize(
    "text, correct, validity",
    [
        (SOLUTION, 1.0, 1.0),
        ("5+3=8,2*8=16", 1.0, 1.0),
        ("3+5=8,8+2=10", 0.0, 1.0),  # every step right, another target
        ("3+5=8,8*2=17", 0.0, 0.5),
        ("3+5=9,9*2=18", 0.0, 0.5),
        ("3+5=8", 0.0, 0.5),  # a step left out counts as one not valid
        ("3+5=8,8*2=16,1+1=2", 0.0, 2 / 3),
        ("3+5=8,3+5=8", 0.0, 0.5),  # a step cannot be had twice
        ("4+4=8,8*2=16", 0.0, 0.0),
        (SOLUTION + "\n", 0.0, 0.5),
        (" " + SOLUTION, 0.0, 0.0),  # without step 1 there is no 8 for step 2
        ("", 0.0, 0.0),
        ("16", 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("form", [str, chat], ids=["text", "chat"])
def test_worked_rewards(text, correct, validity, form):
    assert countdown_reward([form(text)], **columns(1)) == [correct]
    assert step_validity([form(text)], **columns(1)) == [validity]


@pytest.mark.parametrize("reward", REWARDS)
def test_rows_meet_their_own_columns(reward):
    texts = [SOLUTION, "2*3=6,6+1=7", SOLUTION]
    rewards = reward(texts, numbers=[[3, 5, 2], [1, 2, 3], [4, 4, 4]], target=[16, 7, 16])
    assert rewards == [1.0, 1.0, 0.0]
    assert all(type(value) is float for value in rewards)


@pytest.mark.parametrize("reward", REWARDS)
def test_refuses_a_row_that_is_no_problem(reward):
    with pytest.raises(UsageError, match="no Countdown problem; expected 2 to 6 integers to 9999"):
        reward([SOLUTION], numbers=[[0, 5, 2]], target=[16])
