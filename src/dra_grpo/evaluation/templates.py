"""How a problem becomes a prompt; `TEMPLATES` is a dict you can read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dra_grpo.registry import Registry
from dra_grpo.tasks.prompts import SYSTEM_PROMPTS

Messages = list[dict[str, str]]
Prompt = str | Messages
"""A text that the model continues as it stands, or messages for its own chat template."""

INSTRUCTION = r"Please reason step by step, and put your final answer within \boxed{}."


@dataclass(frozen=True)
class Template:
    """One way to ask.

    Attributes:
        name: its name in `TEMPLATES`.
        summary: one line for `dra-grpo eval --help`.
        prompt: problem -> prompt.
        stop: texts at which a completion ends, beside the model's own end token.
    """

    name: str
    summary: str
    prompt: Callable[[str], Prompt]
    stop: tuple[str, ...] = ()


def _r1(problem: str) -> Prompt:
    return [{"role": "user", "content": f"{problem}\n\n{INSTRUCTION}"}]


def _qwen_math(problem: str) -> Prompt:
    turns = (("system", INSTRUCTION), ("user", problem))
    return "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns) + "<|im_start|>assistant\n"


def _paper(problem: str) -> Prompt:
    return [{"role": "system", "content": SYSTEM_PROMPTS["think-answer"]}, {"role": "user", "content": problem}]


def _plain(problem: str) -> Prompt:
    return problem


TEMPLATES: Registry[Template] = Registry(
    "template",
    "dra_grpo.templates",
    {
        template.name: template
        for template in (
            Template(
                "r1", "the model's chat template, no system prompt, the boxed instruction after the problem", _r1
            ),
            Template(
                "qwen-math", "ChatML as text, the boxed instruction as system prompt", _qwen_math, ("<|im_end|>",)
            ),
            Template(
                "paper", "the model's chat template, the DRA recipe's system prompt: <think>, then <answer>", _paper
            ),
            Template("plain", "the problem as it stands", _plain),
        )
    },
)
