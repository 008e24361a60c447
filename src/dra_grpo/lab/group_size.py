"""How many completions a prompt: G = 2, 4, 8, 16 at equal completions a step, for GRPO and for DRA."""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.runs import TEST, VALIDATION

GROUP_SIZE = Experiment(
    name="group-size",
    question=__doc__,
    arms=tuple(
        Arm(f"{name}, G = {size}", {"method": method, "num_generations": size})
        for size in (2, 4, 8, 16)
        for name, method in (("GRPO", "none"), ("DRA", "dra"))
    ),
    against="GRPO, G = 8",
    sets=(VALIDATION, TEST),
)
