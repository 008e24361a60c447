"""What the speed claims about `core` rest on: both sides of each claim, in one run, as ratios.

    python benchmarks/core.py [--threads N] [--repeats R]

Six claims:
  1. graph cut in linear time against the same through the pairwise matrix (G = 4096, D = 512), and the largest tensor
     each of them creates;
  2. LogDet with one factorisation a group against one determinant a row, in a loop and batched (B = 64, G = 64);
  3. facility location from the two largest entries of each row against a loop over rows (B = 64, G = 64);
  4. the paper's "graph cut is 35 times faster than LogDet" (arXiv 2505.09655), as it would be measured there (a
     determinant a row) and with one factorisation;
  5. neither graph cut nor LogDet, from embeddings, is slower than the plain expression in the same precision (products
     of unit rows; the diagonal of `torch.linalg.inv`), whatever the shape, but for 0.2 ms of checks;
  6. one large group beside many small ones costs at most twice what the groups cost one by one, in time and memory.

Each figure is processor time, so that whatever else runs on the machine is not counted: the median of the repeats with
the fastest beside it, and how many times as long it takes as the last line of its claim. A repeat runs each side in
turn for at least 30 ms. The sides of a claim are first checked to give the same numbers. Exits with 1 if a target is
missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from statistics import median
from time import process_time

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dra_grpo import METHODS, Rollouts, adjust_rewards, cosine_similarity, facility_location, graph_cut, logdet
from dra_grpo.core import redundancy
from dra_grpo.core.smi import graph_cut_of_rows

JITTER = 1e-3


class LargestTensor(TorchDispatchMode):
    """Records the most entries that any operator's result has."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.entries = max([self.entries, *(x.numel() for x in tree_leaves(result) if isinstance(x, Tensor))])
        return result


def take_turns(sides: dict[str, Callable[[], Tensor]], repeats: int) -> dict[str, tuple[float, float]]:
    """(median, fastest) seconds a call of each side."""
    calls = {}
    for name, side in sides.items():
        side()
        start = process_time()
        side()
        calls[name] = max(1, round(0.03 / (process_time() - start)))
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            start = process_time()
            for _ in range(calls[name]):
                side()
            seconds[name].append((process_time() - start) / calls[name])
    return {name: (median(runs), min(runs)) for name, runs in seconds.items()}


def check_agreement(sides: dict[str, Callable[[], Tensor]], atol: float) -> None:
    """Raise AssertionError unless all sides give the same numbers within `atol`."""
    names, values = list(sides), [side().double() for side in sides.values()]
    for name, value in zip(names[1:], values[1:], strict=True):
        torch.testing.assert_close(value, values[0], atol=atol, rtol=0, msg=lambda m, name=name: f"{name}: {m}")


def show(
    title: str, timings: dict[str, tuple[float, float]], of: str, targets: dict[str, float] | None = None
) -> bool:
    """Print each side and how many times as long as `of` it takes; True if every target is met."""
    print(f"\n{title}")
    met = True
    for name, (middle, fastest) in timings.items():
        line = f"  {name:<42} {middle * 1e3:9.3f} ms  (fastest {fastest * 1e3:9.3f})"
        if name != of:
            ratio = middle / timings[of][0]
            line += f"  {ratio:7.1f}×"
            if targets and name in targets:
                met &= ratio >= targets[name]
                line += f"  target ≥ {targets[name]:g}: {'met' if ratio >= targets[name] else 'MISSED'}"
        print(line)
    return met


def logdet_row_by_row(similarity: Tensor) -> Tensor:
    """f({i}) + f(rest) − f(V) with a determinant of its own for every row."""
    jittered = similarity.double() + JITTER * torch.eye(similarity.shape[-1], dtype=torch.float64)
    smi = torch.empty(jittered.shape[:-1], dtype=torch.float64)
    for b, S in enumerate(jittered):
        whole = torch.linalg.slogdet(S).logabsdet
        for i in range(len(S)):
            rest = torch.cat([torch.arange(i), torch.arange(i + 1, len(S))])
            smi[b, i] = S[i, i].log() + torch.linalg.slogdet(S[rest][:, rest]).logabsdet - whole
    return smi


def logdet_batched(similarity: Tensor) -> Tensor:
    """The same determinants, all B·G of them in one call."""
    G = similarity.shape[-1]
    jittered = similarity.double() + JITTER * torch.eye(G, dtype=torch.float64)
    rest = torch.arange(G).expand(G, G)[~torch.eye(G, dtype=torch.bool)].view(G, G - 1)
    without = torch.linalg.slogdet(jittered[:, rest[:, :, None], rest[:, None, :]]).logabsdet
    whole = torch.linalg.slogdet(jittered).logabsdet
    return jittered.diagonal(dim1=-2, dim2=-1).log() + without - whole[:, None]


def facility_location_row_by_row(similarity: Tensor) -> Tensor:
    """f({i}) + f(rest) − f(V), f(X) = Σ_v max_{j∈X} S_vj, one row at a time over the whole batch."""
    G = similarity.shape[-1]
    whole = similarity.amax(-1).sum(-1)
    columns = []
    for i in range(G):
        rest = torch.cat([torch.arange(i), torch.arange(i + 1, G)])
        columns.append(similarity[..., i].sum(-1) + similarity[..., rest].amax(-1).sum(-1) - whole)
    return torch.stack(columns, dim=-1)


def linear_graph_cut(repeats: int) -> bool:
    G, D = 4096, 512
    x = torch.randn(G, D, generator=torch.Generator().manual_seed(0)) + 0.2  # no 1 + SMI is negative
    rewards, company = torch.ones(G), torch.ones(G, dtype=torch.bool)
    pairwise, linear, whole = (
        "through the pairwise matrix",
        "inner product with the group's sum",
        "all of adjust_rewards",
    )
    sides = {
        pairwise: lambda: graph_cut(cosine_similarity(x)),
        whole: lambda: adjust_rewards(rewards, x).smi,
        linear: lambda: graph_cut_of_rows(x, company),
    }
    check_agreement(sides, atol=1e-3)
    met = show(f"1. graph cut, G={G}, D={D}, float32", take_turns(sides, repeats), linear, {pairwise: 20})
    print(f"  largest tensor (N·D is {G * D:,} entries, G·G {G * G:,}):")
    for name, side in sides.items():
        with LargestTensor() as largest:
            side()
        print(f"    {name:<40} {largest.entries:>10,}")
        met &= largest.entries < G * G or name == pairwise
    return met


def logdet_by_factorisation(repeats: int) -> bool:
    B, G, D = 64, 64, 256
    similarity = cosine_similarity(torch.randn(B, G, D, generator=torch.Generator().manual_seed(1)))
    loop, batched, ours = (
        "a loop of one determinant a row",
        "the same determinants batched",
        "one factorisation a group",
    )
    sides = {
        loop: lambda: logdet_row_by_row(similarity),
        batched: lambda: logdet_batched(similarity),
        ours: lambda: logdet(similarity, JITTER),
    }
    check_agreement(sides, atol=1e-5)
    return show(f"2. LogDet, B={B}, G={G}", take_turns(sides, repeats), ours, {loop: 50, batched: 10})


def facility_location_by_two_largest(repeats: int) -> bool:
    B, G, D = 64, 64, 256
    similarity = cosine_similarity(torch.randn(B, G, D, generator=torch.Generator().manual_seed(2)))
    ours = "the two largest entries of each row"
    sides = {
        "a loop over rows": lambda: facility_location_row_by_row(similarity),
        ours: lambda: facility_location(similarity),
    }
    check_agreement(sides, atol=1e-4)
    return show(f"3. facility location, B={B}, G={G}", take_turns(sides, repeats), ours)


def graph_cut_against_logdet(repeats: int) -> bool:
    for B, G, D in ((1, 6, 512), (4, 6, 512), (64, 64, 256)):
        x = torch.randn(B, G, D, generator=torch.Generator().manual_seed(3))
        similarity, rewards = cosine_similarity(x), torch.ones(B, G)
        given = {
            "LogDet, a determinant a row": lambda S=similarity: logdet_row_by_row(S),
            "LogDet, one factorisation a group": lambda S=similarity: logdet(S, JITTER),
            "graph cut": lambda S=similarity: graph_cut(S),
        }
        show(f"4. the paper's 35×, B={B}, G={G}: similarity given", take_turns(given, repeats), "graph cut")
        whole = {
            "LogDet, all of adjust_rewards": lambda x=x, r=rewards: adjust_rewards(r, x, smi="logdet").smi,
            "graph cut": lambda x=x, r=rewards: adjust_rewards(r, x).smi,
        }
        show(f"   B={B}, G={G}, D={D}: from embeddings", take_turns(whole, repeats), "graph cut")
    return True


def rollouts_of(sizes: list[int], D: int = 512) -> Rollouts:
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    x = torch.randn(len(groups), D, generator=torch.Generator().manual_seed(5)) + 0.2
    return Rollouts(torch.ones(len(groups)), groups, x)


def plain_graph_cut(x: Tensor) -> Tensor:
    u = torch.nn.functional.normalize(x, dim=-1)
    return (u @ u.mT).sum(-1) - 1


def plain_logdet(x: Tensor) -> Tensor:
    u = torch.nn.functional.normalize(x.double(), dim=-1)
    jittered = u @ u.mT + JITTER * torch.eye(x.shape[1], dtype=torch.float64)
    return (jittered.diagonal(dim1=-2, dim2=-1) * torch.linalg.inv(jittered).diagonal(dim1=-2, dim2=-1)).log()


def not_slower_than_plain(repeats: int) -> bool:
    shapes = [
        (1, 1),
        (1, 8),
        (1, 64),
        (1, 1024),
        (1, 4096),
        (8, 8),
        (64, 4),
        (64, 16),
        (64, 64),
        (512, 8),
        (1024, 4),
        (4096, 1),
    ]
    met = True
    for smi, plain in (("graph_cut", plain_graph_cut), ("logdet", plain_logdet)):
        print(f"\n5. {smi} from embeddings, D=512, against the plain expression")
        for B, G in shapes:
            if smi == "logdet" and G > 1024:
                continue
            rollouts = rollouts_of([G] * B)
            assert rollouts.embeddings is not None
            x = rollouts.embeddings.view(B, G, -1)
            sides = {
                "plain": lambda x=x, plain=plain: plain(x).flatten(),
                "ours": lambda r=rollouts, smi=smi: redundancy(r, smi=smi, clamp=False),
            }
            check_agreement(sides, atol=1e-2)
            fastest = {name: runs[1] for name, runs in take_turns(sides, repeats).items()}
            fits = fastest["ours"] <= 1.1 * fastest["plain"] + 2e-4
            met &= fits
            print(
                f"  B={B:<5} G={G:<5} plain {fastest['plain'] * 1e3:9.3f} ms  ours {fastest['ours'] * 1e3:9.3f} ms  "
                f"{fastest['ours'] / fastest['plain']:6.2f}×  {'met' if fits else 'MISSED'}"
            )
    return met


def one_large_group(repeats: int) -> bool:
    met = True
    for large, small in ((200, 500), (300, 1000)):
        sizes = [large, *[4] * small]
        together, alone = rollouts_of(sizes), [rollouts_of([size]) for size in (large, 4)]
        print(f"\n6. one group of {large} beside {small:,} of 4, D=512")
        for method, options in (
            ("dra", {"smi": "graph_cut"}),
            ("dra", {"smi": "logdet"}),
            ("dra", {"kernel": "cosine_clamped"}),
            ("mmr", {}),
            ("darling", {}),
            ("logdet_marginal", {}),
        ):
            adjust = METHODS[method]
            sides = {
                "large": lambda a=adjust, o=options, r=alone[0]: a(r, **o).rewards,
                "small": lambda a=adjust, o=options, r=alone[1]: a(r, **o).rewards,
                "together": lambda a=adjust, o=options, r=together: a(r, **o).rewards,
            }
            fastest = {name: runs[1] for name, runs in take_turns(sides, repeats).items()}
            one_by_one = fastest["large"] + small * fastest["small"]
            with LargestTensor() as biggest:
                sides["together"]()
            entries = max(large * large, len(together.rewards) * 512)
            fits = fastest["together"] <= 2 * one_by_one and biggest.entries <= 2 * entries
            met &= fits
            name = " ".join([method, *map(str, options.values())])
            print(
                f"  {name:<22} together {fastest['together'] * 1e3:8.2f} ms  one by one {one_by_one * 1e3:8.2f} ms  "
                f"({fastest['together'] / one_by_one:5.2f}×)  the large one {fastest['large'] * 1e3:8.2f} ms  "
                f"largest tensor {biggest.entries:>10,}  {'met' if fits else 'MISSED'}"
            )
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=1, help="torch threads, no more than idle cores (default 1)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side (default 5)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, CPU, threads {torch.get_num_threads()}, {options.repeats} repeats")
    claims = (
        linear_graph_cut,
        logdet_by_factorisation,
        facility_location_by_two_largest,
        graph_cut_against_logdet,
        not_slower_than_plain,
        one_large_group,
    )
    met = [claim(options.repeats) for claim in claims]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
