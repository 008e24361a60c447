import math
import random
from collections import Counter

import pytest
import torch

from dra_grpo.embedders.ngram import END, START, NgramEmbedder
from dra_grpo.errors import UsageError

TEXTS = ["(3 + 5) * 2", "(5 + 3) * 2", "", "a", "aa", "naïve 中文", "🙂\ud83d", "line\nline\x00", "x" * 50]


def grams(text: str, orders) -> Counter[str]:
    """Counts of the n-grams as the docstring describes them, one by one."""
    padded = START + text + END * (max(orders) - 1)
    return Counter(padded[i : i + n] for n in orders for i in range(len(text) + 1))


def bucket_and_sign(gram: str, dimension: int) -> tuple[int, int]:
    value = 0
    for character in gram:
        value = (value + ord(character) + 1) * 0x5BD1E995 % 2**31
    value = (value ^ (value >> 15)) * 0x2C1B3C6D % 2**31
    value ^= value >> 12
    return value * dimension // 2**31, 1 if value % 2 else -1


def looped(text: str, orders, dimension: int, sublinear: bool) -> list[float]:
    vector = [0.0] * dimension
    for gram, count in grams(text, orders).items():
        bucket, sign = bucket_and_sign(gram, dimension)
        vector[bucket] += sign * count
    if sublinear:
        vector = [math.copysign(math.sqrt(abs(x)), x) for x in vector]
    norm = math.sqrt(sum(x * x for x in vector))
    return [x / norm for x in vector]


def cosine(a: Counter[str], b: Counter[str]) -> float:
    return sum(a[g] * b[g] for g in a) / math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))


@pytest.mark.parametrize("sublinear", [False, True], ids=["linear", "sublinear"])
@pytest.mark.parametrize("orders", [(2, 3, 4), (1,), (5,), (4, 2), (3, 3)], ids=str)
@pytest.mark.parametrize("dimension", [64, 1000, 1024])
def test_equals_a_plain_loop(orders, dimension, sublinear):
    rows = NgramEmbedder(orders, dimension, sublinear).encode(TEXTS)
    expected = [looped(text, sorted(set(orders)), dimension, sublinear) for text in TEXTS]
    torch.testing.assert_close(rows.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


def test_cosine_estimates_that_of_the_exact_counts():
    rng = random.Random(0)
    words = ["so", "we", "add", "three", "and", "seven", "multiply", "by", "ten", "then", "the", "rest"]
    texts = [" ".join(rng.choices(words[: rng.randint(3, 12)], k=30)) for _ in range(40)]
    rows = NgramEmbedder(dimension=1024, sublinear=False).encode(texts)
    exact = torch.tensor([[cosine(grams(a, (2, 3, 4)), grams(b, (2, 3, 4))) for b in texts] for a in texts])
    error = (rows @ rows.T - exact)[~torch.eye(40, dtype=torch.bool)]
    assert error.square().mean().sqrt() < 1 / math.sqrt(1024)
    assert abs(error.mean()) < 0.01  # signs make it unbiased: unsigned counts would be above by about 0.1
    assert exact.std() > 3 * error.std()


def test_known_numbers():
    """The hash is part of saved results: a change of it must be a decision."""
    row = NgramEmbedder(orders=(2,), dimension=64, sublinear=False).encode(["ab"])[0]
    assert {int(i): round(float(row[i]) * math.sqrt(3), 5) for i in row.nonzero()} == {2: -1.0, 26: 1.0, 42: -1.0}


def test_blocks_change_nothing(monkeypatch):
    whole = NgramEmbedder().encode(TEXTS)
    monkeypatch.setattr("dra_grpo.embedders.ngram._BLOCK", 7)
    assert torch.equal(NgramEmbedder().encode(TEXTS), whole)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"orders": ()}, r"orders is \(\), dimension 1024; expected 1 or more of each, and 64 or more"),
        ({"orders": (0, 2)}, r"orders is \(0, 2\), dim"),
        ({"dimension": 8}, ", dimension 8; expected"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(UsageError, match=message):
        NgramEmbedder(**options)
