"""How far an embedder's similarities spread over paraphrases and over answers that differ: what sets `min_spread`.

    python benchmarks/paraphrase_spread.py GROUPS.jsonl [--embedder minilm] [--most 120] [--size 8] [--quantile .9]

From each saved group: `size` rewordings of one correct completion by fixed rules (connectives swapped, layout and
notation changed, the content untouched), and `size` different correct completions where there are as many. Prints the
spread (largest minus smallest mean similarity to the others) of both and where between them a threshold can lie.
Exits with 1 if it cannot: the embedder then moves as much under a paraphrase as between answers.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from pathlib import Path

import torch

from dra_grpo.core import Rollouts
from dra_grpo.core.redundancy import similarity_spread
from dra_grpo.embedders import EMBEDDERS, Embedder

SYNONYMS = [
    ("Therefore,", "So,"),
    ("so he", "and therefore he"),
    ("Let's break down", "Let us go through"),
    ("we need to", "we have to"),
    ("First,", "To begin,"),
    ("Next,", "Then,"),
    ("total", "overall"),
    ("needs", "requires"),
    (" has ", " now has "),
]
LAYOUTS = [
    lambda text: re.sub(r"\n+", " ", text),
    lambda text: text.replace(". ", ".\n"),
    lambda text: text.replace("$", ""),
    lambda text: re.sub(r"(\d+)\s*\*\s*(\d+)", r"\1 x \2", text),
    lambda text: "Solution: " + text,
]


def paraphrase(text: str, rng: random.Random) -> str:
    """The same content in other words and layout."""
    for old, new in rng.sample(SYNONYMS, 4):
        text = text.replace(old, new)
    return rng.choice(LAYOUTS)(text)


def spread(embedder: Embedder, texts: list[str]) -> float:
    """Of one group."""
    group = torch.zeros(len(texts), dtype=torch.long)
    return similarity_spread(Rollouts(torch.ones(len(texts)), group, embedder.encode(texts))).item()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("groups", type=Path)
    parser.add_argument("--embedder", default="minilm")
    parser.add_argument("--most", type=int, default=120, help="groups used")
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--quantile", type=float, default=0.9)
    arguments = parser.parse_args()
    rng, embedder = random.Random(0), EMBEDDERS[arguments.embedder]()
    spreads: dict[str, list[float]] = {"paraphrases of one": [], "different answers": []}
    with arguments.groups.open(encoding="utf-8") as lines:
        for _, line in zip(range(arguments.most), lines, strict=False):
            group = json.loads(line)
            correct = [text for text, right in zip(group["completions"], group["correct"], strict=True) if right]
            if correct:
                one = rng.choice(correct)
                reworded = [paraphrase(one, rng) for _ in range(arguments.size)]
                spreads["paraphrases of one"].append(spread(embedder, reworded))
            if len(correct) >= arguments.size:
                spreads["different answers"].append(spread(embedder, rng.sample(correct, arguments.size)))
    if missing := [kind for kind, values in spreads.items() if not values]:
        parser.error(f"{arguments.groups} has no group for {' and '.join(missing)}: too few correct completions")
    print(f"{arguments.embedder}, groups of {arguments.size} correct completions")
    marks = sorted({1 - arguments.quantile, 0.5, arguments.quantile})
    quantiles = {}
    for kind, values in spreads.items():
        quantiles[kind] = torch.tensor(values).quantile(torch.tensor(marks)).tolist()
        shown = ", ".join(f"{mark:.0%} {value:.4f}" for mark, value in zip(marks, quantiles[kind], strict=True))
        print(f"  {kind:<20} {len(values):>4} groups   spread below: {shown}")
    low, high = quantiles["paraphrases of one"][-1], quantiles["different answers"][0]
    print(f"  min_spread between {low:.4f} and {high:.4f}" if low < high else "  no threshold tells them apart")
    return 0 if low < high else 1


if __name__ == "__main__":
    sys.exit(main())
