"""Does the recipe teach? GRPO's greedy accuracy against the base policy's, on all validation problems."""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.runs import VALIDATION

RECIPE = Experiment(
    name="recipe",
    question=__doc__,
    arms=(Arm("base", None), Arm("GRPO", {"method": "none"})),
    against="base",
    seeds=5,
    sets=(VALIDATION, "validation[:]"),
)
