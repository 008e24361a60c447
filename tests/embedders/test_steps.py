import random

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.nn.functional import normalize

from dra_grpo.embedders import NgramEmbedder
from dra_grpo.embedders.steps import aligned_similarity, split_steps, step_similarity


@pytest.mark.parametrize(
    "text, separator, steps",
    [
        ("a\nb\n\n\nc", r"\n", ["a", "b", "c"]),
        ("a\r\n b \n\t\nc\n", r"\n", ["a", "b", "c"]),
        ("a\nb\n \t\n\n c\nd", r"\n\s*\n", ["a\nb", "c\nd"]),
        ("Step 1 a Step 2 b", r"(?=Step \d)", ["Step 1 a", "Step 2 b"]),
        ("", r"\n", [""]),
        (" \n\n ", r"\n", [""]),
    ],
)
def test_split(text, separator, steps):
    assert split_steps(text, separator) == steps


def looped(groups: list[torch.Tensor]) -> torch.Tensor:
    """The formula, pair by pair."""

    def directed(a, b):
        return sum(max(float(x @ y) for y in b) for x in a) / len(a)

    return torch.tensor([[(directed(a, b) + directed(b, a)) / 2 for b in groups] for a in groups], dtype=torch.float64)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 1000))
def test_equals_a_plain_loop_in_any_row_order(counts, seed):
    generator = torch.Generator().manual_seed(seed)
    rows = normalize(torch.randn(sum(counts), 4, generator=generator, dtype=torch.float64))
    owners = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    order = torch.randperm(len(rows), generator=generator)
    similarity = aligned_similarity(rows[order], owners[order], len(counts))
    torch.testing.assert_close(similarity, looped(list(rows.split(counts))))
    assert torch.equal(similarity, similarity.T)
    torch.testing.assert_close(similarity.diagonal(), torch.ones(len(counts), dtype=torch.float64))


def test_texts_equal_a_plain_loop():
    rng = random.Random(0)
    lines = ["3 + 5 = 8", "8 * 2 = 16", "so we divide", "16 / 4 = 4", "the answer is 4"]
    texts = ["\n".join(rng.choices(lines, k=rng.randint(1, 5))) for _ in range(6)] + [""]
    embedder = NgramEmbedder()
    expected = looped([embedder.encode(split_steps(text)).double() for text in texts])
    torch.testing.assert_close(step_similarity(texts, embedder).double(), expected, atol=1e-6, rtol=0)


def test_autocast_does_not_lower_the_precision():
    texts = ["a = 1\nb = 2\nc", "b = 2", "x\ny"]
    with torch.autocast("cpu", torch.bfloat16):
        inside = step_similarity(texts, NgramEmbedder())
    assert torch.equal(inside, step_similarity(texts, NgramEmbedder()))
