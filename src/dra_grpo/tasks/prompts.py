"""System prompts by name, and problems as the prompts a trainer takes."""

from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.registry import Registry

# What the paper's asks for, in other words: think, then answer, in tags; a box; English.
THINK_ANSWER = (
    "The user asks a question and you solve it. Think it through first, inside <think> and </think>. "
    "Then answer, inside <answer> and </answer>, and put the final result into \\boxed{}. "
    "Write in English and in no other language."
)
SYSTEM_PROMPTS: Registry[str] = Registry("system prompt", "dra_grpo.system_prompts", {"think-answer": THINK_ANSWER})
"""name -> text."""

ASKING = ("user", "tool", "system", "developer")
"""Whose messages ask, or tell what the answer builds on; what any other says at the end of a chat is the answer."""

Prompt = str | list[dict[str, Any]]


def system_text(named: str | None) -> str | None:
    """The text of a system prompt given by name or as itself; a single word can only be a name.

    Raises:
        UsageError: a single word that is no name.

    >>> system_text("You are terse."), system_text("think-answer") == SYSTEM_PROMPTS["think-answer"]
    ('You are terse.', True)
    >>> system_text("think-anwser")
    Traceback (most recent call last):
    dra_grpo.registry.UnknownName: unknown system prompt 'think-anwser'; did you mean 'think-answer'?
    """
    if named is None or len(named.split()) != 1:
        return named
    return SYSTEM_PROMPTS[named]


def as_prompt(problem: Prompt, system: str | None = None, form: str = "chat") -> Prompt:
    """A problem as chat messages or as one text, after the system prompt.

    What the assistant says at the end of messages is the answer and no part of the prompt: it is left out.

    Args:
        problem: a text, or messages of which one is the user's.
        system: the system prompt's text.
        form: "chat" gives messages, for the tokenizer's chat template; "text" gives a text.

    Raises:
        UsageError: an empty problem, messages without role or content or without the user's, messages where a text is
            asked for, or two system prompts.

    >>> as_prompt("2+2?", "You are terse.")
    [{'role': 'system', 'content': 'You are terse.'}, {'role': 'user', 'content': '2+2?'}]
    >>> as_prompt("2+2?", "You are terse.", "text")
    'You are terse.\\n\\n2+2?'
    >>> as_prompt([{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}])
    [{'role': 'user', 'content': '2+2?'}]
    """
    if isinstance(problem, str):
        if not problem.strip():
            raise UsageError("the prompt is empty")
        if form == "text":
            return problem if system is None else f"{system}\n\n{problem}"
        problem = [{"role": "user", "content": problem}]
    elif not isinstance(problem, list) or not all({"role", "content"} <= set(message) for message in problem):
        raise UsageError(f"the prompt is {problem!r:.60}; expected a text, or chat messages with role and content")
    elif form == "text":
        raise UsageError("the prompt is a list of chat messages; use prompt_format 'chat'")
    asked = max((place for place, message in enumerate(problem, 1) if message["role"] in ASKING), default=0)
    problem = problem[:asked]
    if all(message["role"] != "user" for message in problem):
        raise UsageError("the messages ask nothing; expected one of the user before any answer")
    if system is None:
        return problem
    if problem[0]["role"] == "system":
        raise UsageError("the prompt has a system message of its own; leave system_prompt out")
    return [{"role": "system", "content": system}, *problem]
