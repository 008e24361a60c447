"""The table of docs/results.md from the `eval.json` of every run: results/countdown/METHOD-SEED.json.

    python results/table.py

Mean over seeds with its 95% t interval: the unit is the run. The runs share test problems and the base policy, so the
difference from plain GRPO is paired by seed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import stats

FIGURES = ("pass@1", "pass@16", "distinct", "coverage")


def interval(values: list[float]) -> str:
    """Mean and 95% t interval over seeds."""
    mean = np.mean(values)
    if len(values) < 2:
        return f"{mean:.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def main() -> None:
    """Print one markdown row a method, then the paired differences."""
    runs: dict[str, dict[int, dict]] = defaultdict(dict)
    for file in sorted(Path(__file__).with_name("countdown").glob("*.json")):
        method, _, seed = file.stem.rpartition("-")
        runs[method][int(seed)] = json.loads(file.read_text())
    base = next(iter(runs["none"].values()))["base"]
    print("| arm | " + " | ".join(FIGURES) + " | seeds |\n|---|" + "---|" * (len(FIGURES) + 1))
    print("| base policy | " + " | ".join(f"{base[f]['value']:.3f}" for f in FIGURES) + " | |")
    for method, seeds in runs.items():
        cells = [interval([run["trained"][f]["value"] for run in seeds.values()]) for f in FIGURES]
        print(f"| {method} | " + " | ".join(cells) + f" | {', '.join(map(str, seeds))} |")
    print("\n| arm − plain GRPO, by seed | " + " | ".join(FIGURES) + " |\n|---|" + "---|" * len(FIGURES))
    for method, seeds in runs.items():
        if method != "none":
            shared = sorted(seeds.keys() & runs["none"].keys())
            cells = [
                interval([seeds[s]["trained"][f]["value"] - runs["none"][s]["trained"][f]["value"] for s in shared])
                for f in FIGURES
            ]
            print(f"| {method} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
