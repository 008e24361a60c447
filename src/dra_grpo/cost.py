"""What a training run or an evaluation costs: GPU-hours, money at a price, and the line that says so."""

from typing import Any


def cost(seconds: float, device_seconds: float, price: float | None = None) -> dict[str, Any]:
    """Wall seconds, GPU-hours (wall time × devices) and, at `price` a GPU-hour, money.

    >>> cost(5400.0, 4 * 5400.0, price=1.1)
    {'seconds': 5400.0, 'gpu_hours': 6.0, 'price_per_gpu_hour': 1.1, 'money': 6.6}
    """
    hours = device_seconds / 3600
    money = None if price is None else round(hours * price, 4)
    return {"seconds": round(seconds, 3), "gpu_hours": round(hours, 6), "price_per_gpu_hour": price, "money": money}


def cost_line(cost: dict[str, Any]) -> str:
    """A cost to read; `gpus` and `device` are named where they are known.

    >>> cost_line({"seconds": 45000.0, "gpus": 4, "device": "NVIDIA A100-SXM4-40GB", "gpu_hours": 50.0,
    ...            "price_per_gpu_hour": 1.1, "money": 55.0})
    '50.00 GPU-hours (12.50 h on 4 x NVIDIA A100-SXM4-40GB), 55.00 at 1.1 a GPU-hour'
    >>> cost_line({"seconds": 90.0, "gpus": 0, "device": "CPU", "gpu_hours": 0.0})
    'no GPU-hours (90 s on CPU)'
    """
    seconds, gpus, device = cost["seconds"], cost.get("gpus", 0), cost.get("device")
    wall = f"{seconds / 3600:.2f} h" if seconds >= 600 else f"{seconds:.0f} s"
    where = f" on {f'{gpus} x ' if gpus > 1 else ''}{device}" if device else ""
    hours = f"{cost['gpu_hours']:.2f}" if cost["gpu_hours"] else "no"
    price = cost.get("price_per_gpu_hour")
    money = f", {cost['money']:.2f} at {price:g} a GPU-hour" if price is not None else ""
    return f"{hours} GPU-hours ({wall}{where}){money}"
