"""Values that TRL takes without a word and fails on later: when the model is loaded, or after the first generation."""

from __future__ import annotations

import math
from argparse import Namespace

from dra_grpo.errors import UsageError

LEAST = {
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 1,
    "generation_batch_size": 1,
    "steps_per_generation": 1,
    "num_generations": 2,
    "num_iterations": 1,
    "max_completion_length": 1,
    "learning_rate": 0,
}
"""setting -> its least value."""

CHOICES = {
    "loss_type": ("grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"),
    "scale_rewards": ("group", "batch", "none"),
    "importance_sampling_level": ("token", "sequence"),
    "vllm_mode": ("server", "colocate"),
}
"""setting -> what trl 1.16 knows."""

SCALES = {"True": "group", "False": "none"}
"""How `scale_rewards` was said when it was a bool; TRL still takes the bool, which no flag can be."""


def check_limits(settings: Namespace) -> None:
    """Raise UsageError for a value that no run can have; `scale_rewards` is put into today's words.

    >>> wanted = Namespace(**dict.fromkeys(LEAST, 2), temperature=1.0, max_steps=1, scale_rewards="False")
    >>> check_limits(Namespace(**vars(wanted), importance_sampling_level="token", loss_type="grop"))
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: loss_type is 'grop'; expected grpo, dr_grpo, dapo, bnpo, cispo, sapo, luspo or vespo
    """
    settings.scale_rewards = SCALES.get(settings.scale_rewards.capitalize(), settings.scale_rewards)
    for name, choices in CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            raise UsageError(f"{name} is {value!r}; expected {', '.join(choices[:-1])} or {choices[-1]}")
    for name, least in LEAST.items():
        value = getattr(settings, name)
        if value is not None and not least <= value < math.inf:
            raise UsageError(f"{name} is {value}; expected at least {least}")
    if not 0 < settings.temperature < math.inf:
        raise UsageError(f"temperature is {settings.temperature}; expected a number above 0")
    if not 0 < settings.vllm_gpu_memory_utilization < 1:
        raise UsageError(
            f"vllm_gpu_memory_utilization is {settings.vllm_gpu_memory_utilization}; expected a share between 0 and 1"
        )
    if settings.max_steps == 0:
        raise UsageError("max_steps is 0; expected at least 1, or -1 to train for num_train_epochs")
