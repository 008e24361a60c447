"""Which embedder tells ways of solving apart: characters, words, the policy's own states, or the truth?"""

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

from dra_grpo.lab.experiment import Arm, Experiment
from dra_grpo.tasks.countdown import solution_key

PLACES = 4096


def identity(texts: Sequence[str]) -> Tensor:
    """Rows (N, 4096) whose cosine is 1 for texts of one solution and 0 for any two others: no embedder can know more.

    >>> rows = identity(["3+5=8,8*2=16", "5+3=8,2*8=16", "no"])
    >>> (rows @ rows.T).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    keys = [blake2b(solution_key(text).encode(), digest_size=8).digest() for text in texts]
    return torch.eye(PLACES)[[int.from_bytes(key) % PLACES for key in keys]]


EXACT = "dra_grpo.lab.embedders:identity"

EMBEDDERS = Experiment(
    name="embedders",
    question=__doc__,
    arms=(
        Arm("GRPO", {"method": "none"}),
        *(Arm(name, {"method": "dra", "embedder": name}) for name in ("ngram", "minilm", "policy")),
        Arm("exact identity", {"method": "dra", "embedder": EXACT}),
    ),
    against="GRPO",
)
