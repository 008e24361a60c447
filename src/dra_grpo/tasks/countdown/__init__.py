"""Countdown: reach a target from given numbers; every solution is known, so everything can be exact."""

from pathlib import Path

from dra_grpo.tasks.countdown.problem import Grade as Grade, Problem as Problem, verify as verify
from dra_grpo.tasks.countdown.solutions import (
    Level as Level,
    accepted_texts as accepted_texts,
    distinct_solutions as distinct_solutions,
    solution_key as solution_key,
)
from dra_grpo.tasks.countdown.splits import problems as problems, split_of as split_of

BASE_POLICY = Path(__file__).with_name("policy")
"""The shipped base policy, a folder that `AutoModelForCausalLM` and `AutoTokenizer` load."""
