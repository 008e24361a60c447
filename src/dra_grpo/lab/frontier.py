"""All methods at one and at sixteen samples, beside what a user would try first and what costs nothing."""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.prize import KL, TRAINED
from dra_grpo.methods import METHODS

ANSWER = {"answer": "dra_grpo.tasks.countdown:solution_key"}
"""For the methods that compare answers: which solution a completion is."""

FRONTIER = Experiment(
    name="frontier",
    question=__doc__,
    arms=(
        Arm("base", None),
        *(Arm(name, settings) for name, settings in TRAINED.items()),
        Arm("GRPO, best early checkpoint", {"method": "none"}, "best"),
        Arm("GRPO, merge 0.5", {"method": "none"}, "merge 0.5"),
        Arm("MaxRL × DRA + KL, merge 0.4", TRAINED["MaxRL × DRA + KL"], "merge 0.4"),
        Arm("GRPO + entropy bonus", {"method": "none", "entropy_coef": 0.01}),
        Arm("GRPO + clip-higher, two passes", {"method": "none", "epsilon_high": 0.28, "num_iterations": 2}),
        Arm("DRA + KL", {"method": "dra", **KL}),
        *(
            Arm(name, {"method": name, **(ANSWER if "answers" in METHODS[name].needs() else {})})
            for name in METHODS
            if name != "none"
        ),
    ),
    against="GRPO",
)
