"""The text of a completion: chat parts, and which part of it is embedded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.registry import Registry

Completion = str | Sequence[Mapping[str, Any]]


def completion_text(completion: Completion) -> str:
    """The text of a completion: itself, or the content of a chat's last message.

    Args:
        completion: a string, or a list of messages, each with `content`: a string, None (a tool call), or a list of
            parts of which those of type `text` count. A last message that the assistant did not write is no answer.

    Returns:
        The text; empty where there is none.

    Raises:
        UsageError: it is neither.

    >>> completion_text([{"role": "assistant", "content": "It is 5."}])
    'It is 5.'
    >>> completion_text([{"role": "assistant", "content": [{"type": "text", "text": "It is 5."}]}])
    'It is 5.'
    """
    if isinstance(completion, str):
        return completion
    if not isinstance(completion, Sequence) or not all(isinstance(message, Mapping) for message in completion):
        raise UsageError(
            f"a completion is a {type(completion).__name__}; expected a string or a list of chat messages, "
            "as TRL passes them"
        )
    if not completion or completion[-1].get("role", "assistant") != "assistant":
        return ""
    content = completion[-1].get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content if part.get("type") == "text")


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


_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(texts: Iterable[str]) -> list[str]:
    """The texts with every lone surrogate replaced by U+FFFD, which tokenizers and JSON parsers accept.

    >>> encodable(["half a pair: \\ud83d", "whole: 😀"])
    ['half a pair: �', 'whole: 😀']
    """
    return [_SURROGATE.sub("\ufffd", text) for text in texts]
