from __future__ import annotations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import TEMPLATES, Problem
from dra_grpo.evaluation.sampler import Decoding, all_requests, request_seed

PROBLEMS = [Problem(str(i), "x" * length) for i, length in enumerate([3, 9, 1, 7, 5])]
PLAIN = TEMPLATES["plain"]


def test_requests_are_every_sample_once_round_by_round():
    requests = all_requests(PROBLEMS, PLAIN, 3, seed=0, task="t")
    assert len({(request.id, request.number) for request in requests}) == 15
    assert [request.number for request in requests] == [0] * 5 + [1] * 5 + [2] * 5
    lengths = [len(request.prompt) for request in requests]
    assert lengths == [9, 7, 5, 3, 1, 1, 3, 5, 7, 9, 9, 7, 5, 3, 1]


def test_more_samples_append_to_the_same_requests():
    assert all_requests(PROBLEMS, PLAIN, 5, 0, "t")[:10] == all_requests(PROBLEMS, PLAIN, 2, 0, "t")


def test_seeds_differ_by_everything_that_names_a_sample():
    seeds = {
        request_seed(seed, task, id, sample)
        for seed in range(3) for task in ("a", "b") for id in ("1", "2", "12") for sample in range(20)
    }  # fmt: skip
    assert len(seeds) == 3 * 2 * 3 * 20
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    "values", [(-0.1, 1.0, 8), (1.0, 0.0, 8), (1.0, 1.1, 8), (1.0, 1.0, 0), (float("inf"), 1.0, 8)]
)
def test_decoding_out_of_range(values):
    with pytest.raises(UsageError, match="expected a temperature of at least 0"):
        Decoding(*values)
