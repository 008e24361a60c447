"""Experiments on Countdown, where every figure is exact; one file = one experiment."""

EXPERIMENTS = {
    "recipe": "dra_grpo.lab.recipe:RECIPE",
    "headline": "dra_grpo.lab.headline:HEADLINE",
    "prize": "dra_grpo.lab.prize:PRIZE",
    "frontier": "dra_grpo.lab.frontier:FRONTIER",
    "baseline": "dra_grpo.lab.baseline:BASELINE",
    "permutation": "dra_grpo.lab.permutation:PERMUTATION",
    "group-size": "dra_grpo.lab.group_size:GROUP_SIZE",
    "embedders": "dra_grpo.lab.embedders:EMBEDDERS",
    "smi": "dra_grpo.lab.smi:SMI_FUNCTIONS",
    "propensity": "dra_grpo.lab.propensity:PROPENSITY",
    "coverage": "dra_grpo.lab.coverage:COVERAGE",
}
"""Name -> where the experiment is."""
