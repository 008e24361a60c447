import pytest

from dra_grpo.errors import UsageError
from dra_grpo.tasks.countdown import Problem


@pytest.mark.parametrize("numbers, target", [((3, 5, 7), 41), ((1, 1), 2), ((9999,) * 6, 9999**6), ((7, 5, 3, 3), 1)])
def test_prompt_round_trips(numbers, target):
    problem = Problem(numbers, target)
    assert Problem.from_prompt(problem.prompt) == problem
    assert problem.row == {"prompt": problem.prompt, "numbers": list(numbers), "target": target}


def test_list_of_numbers_is_kept_as_a_tuple():
    assert Problem([3, 5], 8) == Problem((3, 5), 8)
    assert hash(Problem([3, 5], 8)) == hash(Problem((3, 5), 8))


NUMBERS = [(3,), (1,) * 7, (0, 3), (3, 10_000), (3, True), (3, "2")]
TARGETS = [0, 10**24, "7"]


@pytest.mark.parametrize("numbers, target", [*((them, 3) for them in NUMBERS), *(((3, 4), one) for one in TARGETS)])
def test_bounds(numbers, target):
    with pytest.raises(UsageError) as error:
        Problem(numbers, target)
    assert str(error.value) == (
        f"numbers {numbers} and target {target!r} are no Countdown problem; expected 2 to 6 integers to 9999, "
        "one below 10^24"
    )


NO_PROMPTS = ["", "3,5>8", "3, 5>8:", "03,5>8:", "3,5>08:", "3>3:", "3,5>8:\n", "٣,5>8:", "3²,5>8:"]


@pytest.mark.parametrize("prompt", [*NO_PROMPTS, pytest.param("1" * 10**6, id="long")])
def test_from_prompt_refuses_what_is_no_prompt(prompt):
    with pytest.raises(UsageError, match="is no Countdown prompt; expected the form '3,5,7>41:'") as error:
        Problem.from_prompt(prompt)
    assert len(str(error.value)) < 200
    assert "\n" not in str(error.value)
