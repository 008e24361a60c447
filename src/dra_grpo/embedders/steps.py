"""Similarity of reasoning step by step: two completions are alike if each step of one has its match in the other."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

from dra_grpo.embedders.protocol import Embedder


def split_steps(text: str, separator: str = r"\n") -> list[str]:
    """The steps of a text, without surrounding space; one at least, "" if the text has nothing else.

    Args:
        text: a completion.
        separator: a regular expression without groups.

    Raises:
        re.error: `separator` is not a regular expression.

    >>> split_steps("3 + 5 = 8\\n\\n8 * 2 = 16\\n")
    ['3 + 5 = 8', '8 * 2 = 16']
    >>> split_steps("Step 1: add. Step 2: double.", separator=r"(?=Step \\d)")
    ['Step 1: add.', 'Step 2: double.']
    """
    return [step.strip() for step in re.split(separator, text) if step.strip()] or [""]


def aligned_similarity(embeddings: Tensor, owners: Tensor, size: int) -> Tensor:
    """Symmetric mean of best matches, over steps i of completion a and j of completion b:

        S_ab = ½ mean_i max_j cos(i, j) + ½ mean_j max_i cos(i, j)

    Two completions of the same steps have similarity 1, whatever the order and however often a step is repeated.
    S need not be positive semidefinite, so it goes with graph cut and facility location and not with LogDet.

    Args:
        embeddings: (S, D), a unit row a step.
        owners: int (S,), in 0 … size − 1, which completion a step belongs to; each has at least one.
        size: G, how many completions.

    Returns:
        (G, G), symmetric, in [-1, 1].

    >>> steps = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> aligned_similarity(steps, torch.tensor([0, 0, 1]), 2)
    tensor([[1.0000, 0.7500],
            [0.7500, 1.0000]])

    Source: greedy matching of BERTScore (Zhang et al. 2020, arXiv 1904.09675), on steps; the mean in place of F1.
    """
    with torch.autocast(embeddings.device.type, enabled=False):  # autocast would multiply in 16 bits
        cosines = embeddings @ embeddings.T
    best = cosines.new_full((len(owners), size), -torch.inf)
    best.scatter_reduce_(1, owners.expand(len(owners), -1), cosines, "amax")
    steps = torch.bincount(owners, minlength=size)[:, None]
    directed = cosines.new_zeros(size, size).index_add_(0, owners, best) / steps
    return (directed + directed.T) / 2


def step_similarity(texts: Sequence[str], embedder: Embedder, separator: str = r"\n") -> Tensor:
    """Step-aligned similarity of one group's completions.

    Args:
        texts: G completions.
        embedder: embeds the steps, all in one call; a `CachedEmbedder` pays, as groups share steps.
        separator: what ends a step, see `split_steps`.

    Returns:
        (G, G), see `aligned_similarity`.

    >>> from dra_grpo.embedders.ngram import NgramEmbedder
    >>> step_similarity(["a = 1\\nb = 2", "b = 2\\na = 1"], NgramEmbedder()).round(decimals=3)
    tensor([[1., 1.],
            [1., 1.]])
    """
    steps = [split_steps(text, separator) for text in texts]
    embeddings = embedder.encode([step for each in steps for step in each])
    owners = torch.tensor([place for place, each in enumerate(steps) for _ in each], device=embeddings.device)
    return aligned_similarity(embeddings, owners, len(texts))
