"""The engine that an evaluation names."""

from __future__ import annotations

import time
from typing import Any

from dra_grpo.evaluation.eval_settings import EvalSettings
from dra_grpo.evaluation.sampler import Sampler


class LazySampler:
    """The sampler, loaded when it is first needed: grading what is there already needs none."""

    def __init__(self, settings: EvalSettings):
        self.settings = settings
        self.clock = time.monotonic()
        self._sampler: Any = None

    @property
    def sampler(self) -> Any:
        """The engine, loaded now if it was not yet."""
        if self._sampler is None:
            self._sampler = make_sampler(self.settings)
        return self._sampler

    def lap(self) -> float:
        """Seconds since the last lap, loading among them."""
        now = time.monotonic()
        passed, self.clock = now - self.clock, now
        return passed


def make_sampler(settings: EvalSettings) -> Sampler:
    """The engine that the settings name."""
    if settings.engine == "server":
        from dra_grpo.evaluation.server_sampler import ServerSampler

        return ServerSampler(
            settings.url or "",
            settings.model,
            concurrency=settings.batch_size,
            key_variable=settings.key_variable,
            devices=settings.devices or 0,
        )
    if settings.engine == "vllm":
        from dra_grpo.evaluation.vllm_sampler import VllmSampler

        return VllmSampler(
            settings.model, settings.devices or 1, settings.dtype, settings.revision, context=settings.context
        )
    from dra_grpo.evaluation.transformers_sampler import TransformersSampler

    sampler = TransformersSampler(settings.model, settings.batch_size, settings.dtype, settings.revision)
    if settings.devices is not None:
        sampler.devices = settings.devices
    return sampler
