"""dra-robust: DRA with every known trap closed; each setting, and why."""

from __future__ import annotations

DRA_ROBUST = {
    "clamp": True,  # 1 + SMI ≥ 1: negative cosines can neither blow a weight up nor turn its sign
    "correct_only": True,  # a wrong answer's likeness says nothing about a correct one's redundancy
    "negative": "mirror",  # the formula divides penalties too, so that copies of a mistake are punished least
    "wrong": "keep",  # with a format reward the formula lets a different wrong answer beat copies of a correct one
    "normalize": "mean",  # a gain is not a hidden learning rate, and all-wrong groups keep weight 1
    "min_spread": 0.02,  # an all-correct group that differs less than paraphrases do has nothing to tell
    "std_floor": 0.1,  # weights that differ by 0.5% give advantages of ±0.05, where σ alone makes them ±1.2
}
"""Options of `dra`. The last two are in units of similarity and of the reward. 0.02 suits sentence encoders; other
embedders: benchmarks/paraphrase_spread.py. With rewards of 0 and 1, one correct completion among 64 makes σ = 0.125,
so that the floor touches no group that GRPO learns from."""
