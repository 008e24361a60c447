"""The repetition penalty against a plain count of n-grams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from dra_grpo.errors import UsageError
from dra_grpo.rewards import RepetitionPenalty, repetition_penalty


def by_hand(units: list, n: int, worst: float) -> float:
    seen, repeats, total = [], 0, 0
    for start in range(len(units) - n + 1):
        gram = list(units[start : start + n])
        repeats += gram in seen
        total += 1
        seen.append(gram)
    return worst * repeats / total if total else 0.0


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "A", ".", "c"]), max_size=30), st.integers(1, 4))
def test_words_against_a_plain_loop(words: list[str], n: int):
    expected = by_hand([word.lower() for word in words], n, -0.5)
    assert RepetitionPenalty(n=n, max_penalty=-0.5)([" ".join(words)]) == pytest.approx([expected])


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), max_size=40), st.integers(1, 4))
def test_tokens_against_a_plain_loop(ids: list[int], n: int):
    reward = RepetitionPenalty(n=n, unit="tokens")
    assert reward(["whatever"], completion_ids=[ids]) == pytest.approx([by_hand(ids, n, -1.0)])


def test_worked_numbers():
    text = "so we try again and again and again and again"  # 8 trigrams, of which 3 are repeats
    assert repetition_penalty([text]) == [-0.375]
    assert repetition_penalty([[{"role": "assistant", "content": text}]]) == [-0.375]


@pytest.mark.parametrize("text", ["", " ", "one", "one two", "\x00", "one two three"])
def test_too_short_to_repeat(text: str):
    assert repetition_penalty([text]) == [0.0]
    assert str(repetition_penalty([text])[0]) == "0.0"  # not -0.0


def test_punctuation_is_counted_and_a_text_without_spaces_only_as_tokens():
    assert repetition_penalty(["!" * 1000])[0] < -0.99
    assert repetition_penalty(["a" * 1000]) == [0.0]
    assert RepetitionPenalty(unit="tokens")(["a" * 1000], completion_ids=[[5] * 1000])[0] < -0.99


def test_errors_name_what_is_wrong():
    for options in ({"n": 0}, {"unit": "characters"}):
        with pytest.raises(UsageError, match=r"^repetition_penalty got .*; expected 1 or more, and 'words' or 'tok"):
            RepetitionPenalty(**options)
    with pytest.raises(UsageError, match=r"^repetition_penalty by tokens got no completion_ids; pass them, or use"):
        RepetitionPenalty(unit="tokens")(["a"])
