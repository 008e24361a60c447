"""One run, resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
from dra_grpo.errors import UsageError

if TYPE_CHECKING:
    from trl import GRPOConfig, ModelConfig


@dataclass
class Settings:
    """Everything a run chooses.

    Attributes:
        run, dra: ours.
        model, training: TRL's.
        given: the keys that YAML or command line named.
        dataset: ours, for `task: dataset`.
        forced: (setting, value asked for, value now, why), where a CPU cannot do what was asked for.

    Raises:
        UsageError: a dataset without the task that reads it, or the task without a dataset.
    """

    run: RunConfig
    dra: DRAConfig
    model: ModelConfig
    training: GRPOConfig
    given: set[str]
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    forced: list[tuple[str, Any, Any, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.run.task == "dataset" and self.dataset.dataset_name is None:
            raise UsageError("task 'dataset' needs dataset_name: a file, a folder or a Hub id")
        if self.run.task != "dataset" and self.dataset.dataset_name is not None:
            raise UsageError(
                f"dataset_name is {self.dataset.dataset_name!r}, but task {self.run.task!r} brings its own problems; "
                "add `task: dataset`"
            )
