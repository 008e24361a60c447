from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.lab.runs import Job, Run, problem_set
from dra_grpo.tasks.countdown import problems


def test_a_key_is_what_changes_the_numbers():
    plain = Run({"method": "none"})
    assert plain.key == Run({"method": "none", "save_steps": 3, "logging_steps": 7}).key
    assert plain.key == Run({"method": "none", "learning_rate": 1.0e-4}).key, "the recipe's own value is no other run"
    others = [
        Run({"method": "none", "learning_rate": 2.0e-4}),
        Run({"method": "none"}, base=1),
        Run({"method": "none"}, seed=1),
        Run({"method": "dra"}),
        Run({"method": "dra", "method_options": {"smi": "logdet"}}),
        Run(None),
        Run(None, base=1),
    ]
    assert len({plain.key, *(other.key for other in others)}) == 1 + len(others)
    job = Job(others[4], ("validation[:3]",), Path("a"), Path("b"))
    assert Job.loads(job.dumps()) == job


def test_problems_are_a_slice_of_a_split():
    assert problem_set("validation[3:5]") == problems("validation", 5)[3:]
    assert problem_set("test[1299:]") == problems("test")[1299:]
    with pytest.raises(UsageError, match=r"set of problems 'test'; expected a slice of a split, such as 'valid"):
        problem_set("test")
