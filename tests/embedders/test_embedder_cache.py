import random
from collections import OrderedDict

import pytest
import torch

from dra_grpo.embedders import CachedEmbedder, Embedded, NgramEmbedder


class Counting(NgramEmbedder):
    """n-grams of texts cut at 20 characters, with a record of what was asked for."""

    def __init__(self):
        super().__init__(dimension=64)
        self.asked: list[str] = []

    def embed(self, texts):
        self.asked += texts
        rows, _ = super().embed([text[:20] for text in texts])
        return Embedded(rows, torch.tensor([len(text) > 20 for text in texts], dtype=torch.bool))


@pytest.mark.parametrize("size", [1, 2, 5, 2000])
def test_equals_the_uncached_rows_and_a_plain_lru(size):
    rng = random.Random(size)
    inner = Counting()
    cached = CachedEmbedder(inner, size=size)
    reference: OrderedDict[str, None] = OrderedDict()
    for _ in range(60):
        texts = [str(rng.randint(0, 9)) * rng.choice([1, 30]) for _ in range(rng.randint(0, 8))]
        fresh = [text for text in dict.fromkeys(texts) if text not in reference]
        inner.asked.clear()
        rows, truncated = cached.embed(texts)
        assert inner.asked == fresh
        assert torch.equal(rows, Counting().encode(texts))
        assert truncated.tolist() == [len(text) > 20 for text in texts]
        for text in texts:
            reference[text] = None
            reference.move_to_end(text)
        while len(reference) > size:
            reference.popitem(last=False)


def test_a_kept_row_does_not_keep_its_batch():
    cached = CachedEmbedder(Counting(), size=2)
    cached.encode([str(i) for i in range(100)])
    rows = [row for row, _ in cached._kept.values()]
    assert [row.untyped_storage().nbytes() for row in rows] == [64 * 4] * 2


def test_serves_outside_the_inference_mode_it_was_filled_in():
    cached = CachedEmbedder(Counting(), size=3)
    with torch.inference_mode():
        cached.encode(["a", "b"])
    assert torch.equal(cached.encode(["b", "c", "d"]), Counting().encode(["b", "c", "d"]))
    with torch.inference_mode():
        cached.encode(["e", "b"])
    weight = torch.ones(64, requires_grad=True)
    (cached.encode(["e", "f"]) * weight).sum().backward()
    assert torch.equal(weight.grad, Counting().encode(["e", "f"]).sum(0))
