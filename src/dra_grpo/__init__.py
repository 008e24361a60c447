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
    "Adjusted": "dra_grpo.core",
    "Rollouts": "dra_grpo.core",
    "cosine_similarity": "dra_grpo.core",
    "facility_location": "dra_grpo.core",
    "graph_cut": "dra_grpo.core",
    "grpo_advantages": "dra_grpo.core",
    "logdet": "dra_grpo.core",
    "EMBEDDERS": "dra_grpo.embedders",
    "METHODS": "dra_grpo.methods",
    "adjust_rewards": "dra_grpo.methods.adjust",
    "Adjuster": "dra_grpo.adjuster",
    "DRAConfig": "dra_grpo.config",
    "DRAGRPOTrainer": "dra_grpo.engines.trl",
    "DRARLOOTrainer": "dra_grpo.engines.trl",
    "DiversityAwareMixin": "dra_grpo.engines.trl",
    "method": "dra_grpo.methods.method",
}

# The trainers are left out: they import trl, which `from dra_grpo import *` should not.
__all__ = [
    "EMBEDDERS", "METHODS", "Adjusted", "Adjuster", "DRAConfig", "Rollouts", "adjust_rewards", "cosine_similarity",
    "facility_location", "graph_cut", "grpo_advantages", "logdet", "method",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dra_grpo' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
