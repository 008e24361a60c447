"""The text of a completion: its answer, all that the policy wrote, one part of it; and whether images come along."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.registry import Registry

Completion = str | Sequence[Mapping[str, Any]]
Completions = Sequence[Completion]
Ids = Sequence[Sequence[int]]
"""Token ids: N lists, one a row."""


def completion_text(completion: Completion) -> str:
    """What a reward grades: the completion itself, or the content of a chat's last message.

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
    last = _messages(completion)[-1:]
    return _content(last[0], "text") if last and _is_assistants(last[0]) else ""


def policy_text(completion: Completion) -> str:
    """Everything that the policy wrote: what is embedded.

    Reasoning that a parser took out of the text stands between `<think>` tags again, a tool call is
    `name(arguments)`; what tools and users said is left out.

    Args:
        completion: a string, or a list of chat messages with `content` (see `completion_text`), `reasoning_content`,
            `thinking` or `reasoning`, and `tool_calls`.

    Returns:
        The text, one line break between messages; empty where the policy wrote nothing.

    Raises:
        UsageError: it is neither.

    >>> call = {"function": {"name": "add", "arguments": {"a": 2, "b": 2}}}
    >>> policy_text(
    ...     [
    ...         {"role": "assistant", "reasoning_content": "I had better ask.", "tool_calls": [call]},
    ...         {"role": "tool", "content": "4"},
    ...         {"role": "assistant", "content": "It is 4."},
    ...     ]
    ... )
    '<think>I had better ask.</think>add({"a": 2, "b": 2})\\nIt is 4.'
    """
    if isinstance(completion, str):
        return completion
    return "\n".join(filter(None, map(_written, filter(_is_assistants, _messages(completion)))))


def part(completion: Completion, embed: str = "completion") -> str:
    """The part of a completion that is embedded.

    Args:
        completion: a string or a list of chat messages; reasoning may stand between tags or in a field of its own.
        embed: `"completion"`, all that the policy wrote; `"think"` or `"answer"`, see the functions of these names.
            The answer of a chat is that of its last message.

    Returns:
        The text, which may be empty.

    Raises:
        UnknownName: no such part; the message names the nearest.

    >>> part("<think>2 + 2</think>4", "answer")
    '4'
    >>> part([{"role": "assistant", "reasoning_content": "2 + 2", "content": "4"}], "think")
    '2 + 2'
    """
    chosen = PARTS[embed]
    return chosen(policy_text(completion[-1:] if chosen is answer and not isinstance(completion, str) else completion))


def think(text: str) -> str:
    """What stands before the last `</think>`, from its first `<think>` if it has one; all of it if it never ends.

    >>> think("<think>2 + 2</think>4"), think("2 + 2</think>4"), think("still at it")
    ('2 + 2', '2 + 2', 'still at it')
    """
    before, closed, _ = text.rpartition("</think>")
    return before.split("<think>", 1)[-1] if closed else text


def answer(text: str) -> str:
    """Inside the last `<answer>…</answer>`; else what follows `</think>`; else "" if thinking never ended; else all.

    >>> answer("<think>2 + 2</think>So <answer>4</answer>."), answer("2 + 2</think>4"), answer("<think>2 +")
    ('4', '4', '')
    """
    _, opened, inside = text.rpartition("</answer>")[0].rpartition("<answer>")
    if opened:
        return inside
    _, closed, after = text.rpartition("</think>")
    return after if closed or "<think>" not in text else ""


PARTS: Registry[Callable[[str], str]] = Registry(
    "part of a completion", "dra_grpo.parts", {"completion": str, "think": think, "answer": answer}
)


def has_images(rows: Any) -> bool:
    """Whether images come along with prompts or completions.

    Args:
        rows: a data set's row or a chat message, or a list of them, lists of lists too. An image stands in `image` or
            `images` (None and an empty list are none), or is a part of a message's content.

    >>> has_images([{"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]}])
    True
    >>> has_images([{"prompt": "What is 2 + 2?", "images": []}])
    False
    """
    if isinstance(rows, Mapping):
        own = [rows.get(key) for key in ("image", "images", "image_url")]
        found = [image for image in own if image is not None and (not isinstance(image, Sequence) or image)]
        inside = (rows.get(key) for key in ("prompt", "completion", "messages", "content"))
        return bool(found) or rows.get("type") in ("image", "image_url") or any(map(has_images, inside))
    return isinstance(rows, list | tuple) and any(map(has_images, rows))


def _messages(completion: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(completion, Sequence) or not all(isinstance(message, Mapping) for message in completion):
        kind = type(completion).__name__
        raise UsageError(f"a completion is a {kind}; expected a string or a list of chat messages, as TRL passes them")
    return completion


def _is_assistants(message: Mapping[str, Any]) -> bool:
    return message.get("role", "assistant") == "assistant"


def _content(message: Mapping[str, Any], kind: str) -> str:
    """The text of a message's parts of one type; a content that is a string is one part of type text."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content if kind == "text" else ""
    return "".join(part.get(kind) or "" for part in content if part.get("type") == kind)


def _written(message: Mapping[str, Any]) -> str:
    fields = [message.get(key) for key in ("reasoning_content", "thinking", "reasoning")]
    thought = next(filter(None, [*fields, _content(message, "thinking")]), None)
    calls = [_call(call) for call in message.get("tool_calls") or ()]
    said = "\n".join(filter(None, [_content(message, "text"), *calls]))
    if not thought:
        return said
    ended = calls or message.get("content") is not None  # else the tokens ran out while it was thinking
    return f"<think>{thought}</think>{said}" if ended else f"<think>{thought}"


def _call(call: Mapping[str, Any]) -> str:
    """A tool call without its id, which no policy wrote."""
    function = call.get("function") or call
    arguments = function.get("arguments") or ""
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, sort_keys=True, ensure_ascii=False, default=str)
    return f"{function.get('name')}({arguments})"


_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(texts: Iterable[str]) -> list[str]:
    """The texts with every lone surrogate replaced by U+FFFD, which tokenizers and JSON parsers accept.

    >>> encodable(["half a pair: \\ud83d", "whole: 😀"])
    ['half a pair: �', 'whole: 😀']
    """
    return [_SURROGATE.sub("\ufffd", text) for text in texts]
