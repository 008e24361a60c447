"""Does DRA beat GRPO, with either of their normalisations, and do its controls? At matched mean weight."""

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.lab.runs import TEST, VALIDATION

DR_GRPO = {"loss_type": "dr_grpo", "scale_rewards": "none"}

BASELINE = Experiment(
    name="baseline",
    question=__doc__,
    arms=(
        Arm("base", None),
        Arm("GRPO", {"method": "none"}),
        Arm("Dr.GRPO", {"method": "none", **DR_GRPO}),
        Arm("DRA-GRPO", {"method": "dra"}),
        Arm("DRA-Dr.GRPO", {"method": "dra", **DR_GRPO}),
        Arm("permuted", {"method": "permuted"}),
        Arm("random", {"method": "random"}),
        Arm("length", {"method": "length"}),
    ),
    against="GRPO",
    sets=(VALIDATION, TEST),
)
