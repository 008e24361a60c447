"""What an evaluation or a training run takes: GPU-hours, and money at a price."""

from __future__ import annotations

from typing import Any


def cost(seconds: float, device_seconds: float, price: float | None = None) -> dict[str, Any]:
    """Wall seconds, GPU-hours (wall time × devices) and, at `price` a GPU-hour, money.

    >>> cost(5400.0, 4 * 5400.0, price=1.1)
    {'seconds': 5400.0, 'gpu_hours': 6.0, 'price_per_gpu_hour': 1.1, 'money': 6.6}
    """
    hours = device_seconds / 3600
    return {
        "seconds": round(seconds, 3),
        "gpu_hours": round(hours, 6),
        "price_per_gpu_hour": price,
        "money": None if price is None else round(hours * price, 4),
    }
