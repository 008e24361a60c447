"""One of two processes: takes its half of the rows, gathers the rest, runs every method; a test starts it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist

from dra_grpo import METHODS, Rollouts


def gathered(local, world):
    """Rows of all ranks in rank order, tensors and lists alike."""
    if isinstance(local, torch.Tensor):
        parts = [torch.empty_like(local) for _ in range(world)]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)
    lists: list = [None] * world
    dist.all_gather_object(lists, local)
    return [value for part in lists for value in part]


def main(folder: Path, rank: int, world: int) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'rendezvous'}", rank=rank, world_size=world)
    torch.manual_seed(rank)  # the global RNG differs between ranks, as it does in training
    everything = torch.load(folder / "rollouts.pt")
    half = len(everything["rewards"]) // world
    local = {name: value[rank * half : (rank + 1) * half] for name, value in everything.items()}
    rollouts = Rollouts(**{name: gathered(value, world) for name, value in local.items()})
    found = {}
    for name, method in METHODS.items():
        adjusted = method(rollouts, **({"step": 11} if "step" in method.options else {}))
        found[name] = (adjusted.rewards, adjusted.weights, adjusted.smi, adjusted.advantages)
    torch.save(found, folder / f"rank{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
