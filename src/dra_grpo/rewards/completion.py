"""What the model wrote, whichever of TRL's two forms it comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dra_grpo.errors import UsageError

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
