"""Countdown: reach a target from given numbers; every solution is known, so everything can be exact."""

from pathlib import Path

from dra_grpo.tasks.countdown.problem import Problem as Problem
from dra_grpo.tasks.countdown.problem import Verdict as Verdict
from dra_grpo.tasks.countdown.problem import verify as verify
from dra_grpo.tasks.countdown.solutions import Level as Level
from dra_grpo.tasks.countdown.solutions import accepted_texts as accepted_texts
from dra_grpo.tasks.countdown.solutions import distinct_solutions as distinct_solutions
from dra_grpo.tasks.countdown.solutions import solution_key as solution_key
from dra_grpo.tasks.countdown.splits import problems as problems
from dra_grpo.tasks.countdown.splits import split_of as split_of

BASE_POLICY = Path(__file__).with_name("policy")
"""The shipped base policy, a folder that `AutoModelForCausalLM` and `AutoTokenizer` load."""
