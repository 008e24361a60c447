"""The mathematics: torch in, torch out; no I/O, no framework."""

from dra_grpo.core.advantages import grpo_advantages as grpo_advantages
from dra_grpo.core.groups import GroupIndex as GroupIndex
from dra_grpo.core.redundancy import group_similarity as group_similarity
from dra_grpo.core.redundancy import redundancy as redundancy
from dra_grpo.core.rollouts import Adjusted as Adjusted
from dra_grpo.core.rollouts import Rollouts as Rollouts
from dra_grpo.core.similarity import KERNELS as KERNELS
from dra_grpo.core.similarity import cosine_similarity as cosine_similarity
from dra_grpo.core.smi import SMI as SMI
from dra_grpo.core.smi import facility_location as facility_location
from dra_grpo.core.smi import graph_cut as graph_cut
from dra_grpo.core.smi import logdet as logdet
