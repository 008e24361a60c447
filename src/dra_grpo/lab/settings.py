"""One run, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dra_grpo.config import DRAConfig, RunConfig

if TYPE_CHECKING:
    from trl import GRPOConfig, ModelConfig


@dataclass
class Settings:
    """Everything a run chooses.

    Attributes:
        run, dra: ours.
        model, training: TRL's.
        given: the keys that YAML or command line named.
    """

    run: RunConfig
    dra: DRAConfig
    model: ModelConfig
    training: GRPOConfig
    given: set[str]
