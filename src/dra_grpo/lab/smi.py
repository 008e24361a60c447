"""Graph cut, LogDet, facility location: what each gives, also at matched mean weight, and what each costs."""

from collections.abc import Sequence
from time import perf_counter

import torch

from dra_grpo.core import SMI
from dra_grpo.lab.experiment import Arm, Experiment, Place
from dra_grpo.lab.outcome import table
from dra_grpo.methods.adjust import adjust_rewards

SIZES = (6, 16, 64)
REPEATS = 30


def cost(place: Place, seeds: int, bases: Sequence[int]) -> list[str]:
    """Milliseconds that an adjustment of 64 groups of G completions takes, and the ratio to graph cut."""
    rows = []
    for size in SIZES:
        embeddings, rewards = torch.randn(64, size, 384), torch.ones(64, size)
        taken = dict.fromkeys(SMI, float("inf"))
        for _ in range(REPEATS):  # in turn, so that what else the machine does meets all alike; the least of each
            for name in SMI:
                started = perf_counter()
                adjust_rewards(rewards, embeddings, smi=name)
                taken[name] = min(taken[name], perf_counter() - started)
        least = taken["graph_cut"]
        cells = {name: f"{1000 * seconds:.1f} ms ({seconds / least:.1f}×)" for name, seconds in taken.items()}
        rows.append({"G": size, **cells})
    return ["What one adjustment of 64 groups takes, D = 384:", "", *table(rows)]


SMI_FUNCTIONS = Experiment(
    name="smi",
    question=__doc__,
    arms=(
        *(Arm(name, {"method": "dra", "method_options": {"smi": name}}) for name in SMI),
        *(
            Arm(f"{name}, mean weight 1", {"method": "dra", "method_options": {"smi": name, "normalize": "mean"}})
            for name in SMI
        ),
    ),
    against="graph_cut",
    analyse=cost,
)
