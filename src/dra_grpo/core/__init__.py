"""The mathematics: torch in, torch out; no I/O, no framework."""

from dra_grpo.core.advantages import grpo_advantages as grpo_advantages
from dra_grpo.core.groups import GroupIndex as GroupIndex
from dra_grpo.core.redundancy import group_similarity as group_similarity, redundancy as redundancy
from dra_grpo.core.rollouts import Adjusted as Adjusted, Rollouts as Rollouts
from dra_grpo.core.similarity import KERNELS as KERNELS, cosine_similarity as cosine_similarity
from dra_grpo.core.smi import (
    SMI as SMI,
    facility_location as facility_location,
    graph_cut as graph_cut,
    logdet as logdet,
)
