"""Diversity-aware reward adjustment (DRA) for GRPO training of language models."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dra_grpo.adjuster import Adjuster
    from dra_grpo.config import DRAConfig
    from dra_grpo.core import (
        Adjusted,
        Rollouts,
        cosine_similarity,
        facility_location,
        graph_cut,
        grpo_advantages,
        logdet,
    )
    from dra_grpo.embedders import EMBEDDERS
    from dra_grpo.engines.trl import (
        DiversityAwareMixin as DiversityAwareMixin,
        DRAGRPOTrainer as DRAGRPOTrainer,
        DRARLOOTrainer as DRARLOOTrainer,
    )
    from dra_grpo.methods import METHODS
    from dra_grpo.methods.adjust import adjust_rewards
    from dra_grpo.methods.method import method

__version__ = "0.1.0"

_HOMES = {
    "dra_grpo.adjuster": "Adjuster",
    "dra_grpo.config": "DRAConfig",
    "dra_grpo.core": "Adjusted Rollouts cosine_similarity facility_location graph_cut grpo_advantages logdet",
    "dra_grpo.embedders": "EMBEDDERS",
    "dra_grpo.engines.trl": "DRAGRPOTrainer DRARLOOTrainer DiversityAwareMixin",
    "dra_grpo.methods": "METHODS",
    "dra_grpo.methods.adjust": "adjust_rewards",
    "dra_grpo.methods.method": "method",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

# The trainers are left out: they import trl, which `from dra_grpo import *` should not.
__all__ = [
    "EMBEDDERS", "METHODS", "Adjusted", "Adjuster", "DRAConfig", "Rollouts", "adjust_rewards", "cosine_similarity",
    "facility_location", "graph_cut", "grpo_advantages", "logdet", "method",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'dra_grpo' has no attribute {name!r}")
    return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
