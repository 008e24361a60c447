"""What to pick: the base policy, GRPO, the paper's DRA, and what the lab found best, on problems nobody chose by."""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.prize import TRAINED
from dra_grpo.lab.runs import TEST, VALIDATION

BEST = TRAINED["MaxRL × DRA + KL"]

HEADLINE = Experiment(
    name="headline",
    question=__doc__,
    arms=(
        Arm("base, untrained", None),
        Arm("GRPO", TRAINED["GRPO"]),
        Arm("DRA-GRPO, the paper's", {"method": "dra"}),
        Arm("DRA with permuted weights", {"method": "permuted"}),
        Arm("½ base + ½ GRPO", TRAINED["GRPO"], "merge 0.5"),
        Arm("MaxRL × DRA + KL", BEST),
        Arm(".3 base + .7 (MaxRL × DRA + KL)", BEST, "merge 0.7"),
        Arm(".6 base + .4 (MaxRL × DRA + KL)", BEST, "merge 0.4"),
        Arm(".6 base + .4 (MaxRL + KL)", TRAINED["MaxRL + KL"], "merge 0.4"),
    ),
    against="GRPO",
    seeds=4,
    bases=(0, 1, 2),
    sets=(VALIDATION, TEST),
)
