from itertools import combinations_with_replacement, permutations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.tasks.countdown import distinct_solutions, problems, split_of
from dra_grpo.tasks.countdown.splits import LARGEST_NUMBER, LARGEST_TARGET

SPLITS = ("train", "validation", "test")
MULTISETS = list(combinations_with_replacement(range(1, LARGEST_NUMBER + 1), 3))


def test_no_multiset_of_numbers_is_in_two_splits():
    for split in SPLITS:
        assert {split_of(problem.numbers) for problem in problems(split)} == {split}


def test_the_split_is_a_property_of_the_multiset():
    for numbers in MULTISETS[::50]:
        assert {split_of(order) for order in permutations(numbers)} == {split_of(numbers)}
    shares = [sum(split_of(numbers) == split for numbers in MULTISETS) / len(MULTISETS) for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("size, count", [(3, 500), (4, 30)])
def test_problems_are_distinct_and_have_two_distinct_solutions(split, size, count):
    drawn = problems(split, count, size)
    assert len(drawn) == len({(tuple(sorted(problem.numbers)), problem.target) for problem in drawn}) == count
    for problem in drawn:
        assert len(problem.numbers) == size
        assert list(problem.numbers) == sorted(problem.numbers)
        assert 1 <= problem.numbers[0] <= problem.numbers[-1] <= LARGEST_NUMBER
        assert 1 <= problem.target <= LARGEST_TARGET
    for problem in drawn[::25]:
        assert len(distinct_solutions(problem)) >= 2


def test_all_problems_of_a_split_are_all_that_fit():
    everything = problems("validation")
    expected = {
        (numbers, target)
        for numbers in MULTISETS[::10]
        if split_of(numbers) == "validation"
        for target in range(1, LARGEST_TARGET + 1)
        if len(distinct_solutions(type(everything[0])(numbers, target))) >= 2
    }
    sampled = set(MULTISETS[::10])
    assert {(problem.numbers, problem.target) for problem in everything if problem.numbers in sampled} == expected


def test_a_smaller_count_is_the_head_and_every_multiset_comes_before_one_returns():
    everything = problems("test")
    assert problems("test", 50) == everything[:50]
    multisets = len({problem.numbers for problem in everything})
    assert len({problem.numbers for problem in everything[:multisets]}) == multisets


def test_the_seed_draws_the_order_and_nothing_else():
    one, other = problems("test", seed=0), problems("test", seed=1)
    assert one != other
    assert set(one) == set(other)
    assert problems("test", seed=1) == other


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("dev", 3), "split is 'dev' and size 3; expected one of ('train', 'validation', 'test'), and 3 or 4"),
        (("test", 3, 5), "split is 'test' and size 5; expected one of ('train', 'validation', 'test'), and 3 or 4"),
        (("test", 10**6), "the test split has 1301 problems of 3 numbers, got count=1000000"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(UsageError) as error:
        problems(*arguments)
    assert str(error.value) == message
