"""Which part of a completion is embedded: all of it, its thinking, or its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dra_grpo.registry import Registry


def completion(text: str) -> str:
    """The text as it is.

    >>> completion("<think>2 + 2</think>4")
    '<think>2 + 2</think>4'
    """
    return text


def think(text: str) -> str:
    """What stands before the last `</think>`, from its first `<think>` if it has one; all of it if it never ends.

    >>> think("<think>2 + 2</think>4"), think("2 + 2</think>4"), think("still at it")
    ('2 + 2', '2 + 2', 'still at it')
    """
    before, closed, _ = text.rpartition("</think>")
    if not closed:
        return text
    lead, opened, inside = before.partition("<think>")
    return inside if opened else lead


def answer(text: str) -> str:
    """Inside the last `<answer>…</answer>`; else what follows `</think>`; else "" if thinking never ended; else all.

    >>> answer("<think>2 + 2</think>So <answer>4</answer>."), answer("2 + 2</think>4"), answer("<think>2 +")
    ('4', '4', '')
    """
    end = text.rfind("</answer>")
    start = text.rfind("<answer>", 0, end) if end >= 0 else -1
    if start >= 0:
        return text[start + len("<answer>") : end]
    _, closed, after = text.rpartition("</think>")
    if closed:
        return after
    return "" if "<think>" in text else text


SELECTIONS: Registry[Callable[[str], str]] = Registry(
    "selection", "dra_grpo.selections", {"completion": completion, "think": think, "answer": answer}
)


def select(texts: Sequence[str], embed: str = "completion") -> list[str]:
    """The part of each text that is embedded.

    Args:
        texts: N completions.
        embed: `"completion"`, `"think"` or `"answer"`.

    Returns:
        N strings, some of them empty.

    Raises:
        UnknownName: no such selection; the message names the nearest.

    >>> select(["<think>2 + 2</think>4", "5"], embed="answer")
    ['4', '5']
    """
    part = SELECTIONS[embed]
    return [part(text) for text in texts]
