"""The mathematics: torch in, torch out; no I/O, no framework."""

from dra_grpo.core.advantages import grpo_advantages
from dra_grpo.core.groups import GroupIndex, flatten_groups
from dra_grpo.core.redundancy import group_similarity, redundancy
from dra_grpo.core.rollouts import Adjusted, Rollouts
from dra_grpo.core.similarity import KERNELS, cosine_similarity
from dra_grpo.core.smi import SMI, facility_location, graph_cut, logdet

__all__ = [
    "KERNELS",
    "SMI",
    "Adjusted",
    "GroupIndex",
    "Rollouts",
    "cosine_similarity",
    "facility_location",
    "flatten_groups",
    "graph_cut",
    "group_similarity",
    "grpo_advantages",
    "logdet",
    "redundancy",
]
