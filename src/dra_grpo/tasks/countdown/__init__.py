"""Countdown: reach a target from given numbers; every solution is known, so everything can be exact."""

from importlib.resources import files
from pathlib import Path

from dra_grpo.tasks.countdown.problem import Problem, Verdict, verify
from dra_grpo.tasks.countdown.solutions import Level, accepted_texts, distinct_solutions, solution_key
from dra_grpo.tasks.countdown.splits import problems, split_of

BASE_POLICY = Path(str(files(__name__) / "policy"))
"""The shipped base policy, a folder that `AutoModelForCausalLM` and `AutoTokenizer` load."""

__all__ = [
    "BASE_POLICY",
    "Level",
    "Problem",
    "Verdict",
    "accepted_texts",
    "distinct_solutions",
    "problems",
    "solution_key",
    "split_of",
    "verify",
]
