"""One set of weights with GRPO's accuracy at one sample and the base policy's at sixteen: which arm comes closest?"""

from collections.abc import Sequence

import numpy as np

from dra_grpo.evaluation.exact import number_sets
from dra_grpo.lab.experiment import Arm, Experiment, Place, crossed, paired, read_arm
from dra_grpo.lab.runs import MERGES, TEST, VALIDATION, ledger, problem_set

KL = {"beta": 0.05}
TRAINED = {
    "GRPO": {"method": "none"},
    "GRPO + KL": {"method": "none", **KL},
    "MaxRL + KL": {"method": "maxrl", **KL},
    "MaxRL × DRA + KL": {"method": "maxrl-dra", **KL},
}
POLICIES = ("final", *(f"merge {share}" for share in MERGES))
ALLOWED = 0.1
"""The part of what GRPO loses at sixteen samples that a winner may lose."""


def verdicts(place: Place, seeds: int, bases: Sequence[int]) -> list[str]:
    """For each arm what it keeps of GRPO's gain G at one sample and loses of its loss L at sixteen, with bounds.

    The bounds are one-sided ones of 95% of two differences: greedy accuracy minus GRPO's, and pass@16 minus (the base
    policy's less a tenth of L). An arm has won where both are above 0.
    """
    done, name = ledger(place.ledger), PRIZE.sets[-1]
    clusters = number_sets(problem_set(name))
    reads = {
        arm.name: read
        for arm in PRIZE.arms
        if (read := read_arm(arm, Experiment("", "", (arm,)).runs(seeds, bases), done, name))
    }
    if "GRPO" not in reads or "base" not in reads:
        return ["GRPO and the base policy are not there yet."]
    (gained,) = paired(reads["GRPO"], reads["base"])
    gain, loss = (float(np.mean(gained[figure])) for figure in ("greedy", "pass@16"))
    lines = [
        f"G = {100 * gain:.1f} points of greedy accuracy, L = {-100 * loss:.1f} points of pass@16.", "",
        "| arm | runs | keeps of G | loses of L | greedy − GRPO, bound | pass@16 − (base − L/10), bound | won |",
        "|" + " --- |" * 7,
    ]  # fmt: skip
    for arm, read in reads.items():
        differences = [] if arm in ("base", "GRPO") else paired(read, reads["base"], reads["GRPO"])
        if not differences:
            continue
        against_base, against_grpo = differences
        # pass@16 − base + (base − GRPO) / 10 = .9 (pass@16 − base) + .1 (pass@16 − GRPO)
        close = (1 - ALLOWED) * against_base["pass@16"]
        greedy = crossed(against_grpo["greedy"], clusters, 0.9)
        sixteen = crossed(close + ALLOWED * against_grpo["pass@16"], clusters, 0.9)
        kept, lost = np.mean(against_base["greedy"]) / gain, np.mean(against_base["pass@16"]) / loss
        bounds = [f"{100 * each.value:+.1f}, > {100 * each.low:+.1f}" for each in (greedy, sixteen)]
        won = "yes" if min(greedy.low, sixteen.low) > 0 else "no"
        runs = len(against_base["greedy"])
        lines.append(f"| {arm} | {runs} | {kept:.0%} | {lost:.0%} | {bounds[0]} | {bounds[1]} | {won} |")
    return lines


PRIZE = Experiment(
    name="prize",
    question=__doc__,
    arms=(
        Arm("base", None),
        *(
            Arm(name if policy == "final" else f"{name}, {policy}", settings, policy)
            for name, settings in TRAINED.items()
            for policy in POLICIES
        ),
    ),
    against="GRPO",
    seeds=4,
    bases=(0, 1, 2),
    sets=(VALIDATION, TEST),
    analyse=verdicts,
)
