"""GPU-hours over the parts of a run, and money."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("trl")

from dra_grpo.cost import cost_line
from dra_grpo.training.callbacks import CostMeter, gpus_paid_for

MAIN = SimpleNamespace(is_world_process_zero=True)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "environment.json"
    path.write_text(json.dumps({"seed": 7}))
    return path


def test_a_resumed_run_pays_for_both_parts(file):
    clock = Clock()
    first = CostMeter(file, clock=clock)
    first.runs_on(4, "A100")
    clock.now += 3600
    first.on_log(None, MAIN, None)
    clock.now += 900  # killed before the next step was logged
    second = CostMeter(file, price=1.1, clock=clock)
    file.write_text(json.dumps({"seed": 8}))
    second.runs_on(2, "A100")
    clock.now += 1800
    second.write()
    record = json.loads(file.read_text())
    assert record["seed"] == 8
    assert record["cost"] == {
        "gpus": 2, "device": "A100", "seconds": 5400.0, "gpu_hours": 5.0, "price_per_gpu_hour": 1.1, "money": 5.5,
    }  # fmt: skip
    assert cost_line(record["cost"]) == "5.00 GPU-hours (1.50 h on 2 x A100), 5.50 at 1.1 a GPU-hour"


def test_only_the_first_process_writes(file):
    CostMeter(file).on_log(None, SimpleNamespace(is_world_process_zero=False), None)
    assert "cost" not in json.loads(file.read_text())


def test_a_cpu_costs_no_gpu_hours(file):
    clock = Clock()
    meter = CostMeter(file, price=2.0, clock=clock)
    clock.now += 60
    assert (meter.cost["gpu_hours"], meter.cost["money"]) == (0.0, 0.0)
    assert cost_line(meter.cost) == "no GPU-hours (60 s on CPU), 0.00 at 2 a GPU-hour"


def test_the_papers_bill():
    cost = {"seconds": 12.5 * 3600, "gpus": 4, "device": "A100", "gpu_hours": 50.0}
    assert cost_line(cost) == "50.00 GPU-hours (12.50 h on 4 x A100)"


@pytest.mark.parametrize(
    ("device", "use_vllm", "mode", "server_gpus", "expected"),
    [
        ("cuda", True, "server", None, 4),
        ("cuda", True, "server", 2, 5),
        ("cuda", True, "colocate", None, 3),
        ("cuda", False, "server", None, 3),
        ("cpu", True, "server", 1, 0),
    ],
)
def test_gpus_paid_for(device, use_vllm, mode, server_gpus, expected):
    trainer = SimpleNamespace(accelerator=SimpleNamespace(device=SimpleNamespace(type=device), num_processes=3))
    training = SimpleNamespace(use_vllm=use_vllm, vllm_mode=mode)
    settings = SimpleNamespace(training=training, run=SimpleNamespace(server_gpus=server_gpus))
    assert gpus_paid_for(trainer, settings) == expected
