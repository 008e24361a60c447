"""Is it which completion gets which weight (inverse propensity), or only that there are weights?"""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.runs import TEST, VALIDATION

PERMUTATION = Experiment(
    name="permutation",
    question=__doc__,
    arms=tuple(Arm(name, {"method": name}) for name in ("dra", "permuted", "permuted-correct", "none")),
    against="permuted",
    sets=(VALIDATION, TEST),
)
