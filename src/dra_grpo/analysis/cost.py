"""What a run cost, as one line."""

from __future__ import annotations

from typing import Any


def cost_line(cost: dict[str, Any]) -> str:
    """A run's `cost` from its `environment.json`, to read.

    >>> cost_line({"seconds": 45000.0, "gpus": 4, "device": "NVIDIA A100-SXM4-40GB", "gpu_hours": 50.0,
    ...            "price_per_gpu_hour": 1.1, "money": 55.0})
    '50.00 GPU-hours (12.50 h on 4 x NVIDIA A100-SXM4-40GB), 55.00 at 1.1 a GPU-hour'
    >>> cost_line({"seconds": 90.0, "gpus": 0, "device": "CPU", "gpu_hours": 0.0})
    'no GPU-hours (90 s on CPU)'
    """
    seconds, gpus, device = cost["seconds"], cost["gpus"], cost["device"]
    wall = f"{seconds / 3600:.2f} h" if seconds >= 600 else f"{seconds:.0f} s"
    if not cost["gpu_hours"]:
        return f"no GPU-hours ({wall} on {device})"
    line = f"{cost['gpu_hours']:.2f} GPU-hours ({wall} on {f'{gpus} x ' if gpus > 1 else ''}{device})"
    if cost.get("money") is None:
        return line
    return f"{line}, {cost['money']:.2f} at {cost['price_per_gpu_hour']:g} a GPU-hour"
