"""Diversity-aware reward adjustment (DRA) for GRPO training of language models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    "method": "dra_grpo.methods.method",
}

__all__ = [
    "EMBEDDERS",
    "METHODS",
    "Adjusted",
    "Rollouts",
    "adjust_rewards",
    "cosine_similarity",
    "facility_location",
    "graph_cut",
    "grpo_advantages",
    "logdet",
    "method",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dra_grpo' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
