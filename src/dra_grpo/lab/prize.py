"""One set of weights with GRPO's accuracy at one sample and the base policy's at sixteen: which arm comes closest?"""

from collections.abc import Sequence

import numpy as np

from dra_grpo.evaluation.exact import number_sets
from dra_grpo.lab.experiment import Arm, Experiment, Place, crossed, paired, read_arm
from dra_grpo.lab.outcome import table
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
    policy's less a tenth of L). An arm has won where both are above 0 and there are runs enough, 3 base policies × 4.
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
    records = []
    for arm, read in reads.items():
        differences = [] if arm in ("base", "GRPO") else paired(read, reads["base"], reads["GRPO"])
        if not differences:
            continue
        base, grpo = differences
        gain, loss = (float(np.mean(base[figure] - grpo[figure])) for figure in ("greedy", "pass@16"))
        # pass@16 − base + (base − GRPO) / 10 = .9 (pass@16 − base) + .1 (pass@16 − GRPO)
        close = (1 - ALLOWED) * base["pass@16"] + ALLOWED * grpo["pass@16"]
        bounds = [crossed(values, clusters, 0.9) for values in (grpo["greedy"], close)]
        records.append(
            {
                "arm": arm,
                "runs": len(close),
                "G": f"{100 * gain:.1f}",
                "keeps": f"{np.mean(base['greedy']) / gain:.0%}",
                "L": f"{-100 * loss:.1f}",
                "loses": f"{np.mean(base['pass@16']) / loss:.0%}",
                "greedy − GRPO, bound": f"{100 * bounds[0].value:+.1f}, {100 * bounds[0].low:+.1f}",
                "pass@16 − (base − L/10), bound": f"{100 * bounds[1].value:+.1f}, {100 * bounds[1].low:+.1f}",
                "both bounds above 0": "yes" if min(bound.low for bound in bounds) > 0 else "no",
            }
        )
    return ["G, L and differences in points, over the runs that GRPO has too.", "", *table(records)]


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
