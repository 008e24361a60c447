"""The format reward: reasoning in `<think>`, then the answer in `<answer>`, and nothing else."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from dra_grpo.completions import Completions, completion_text


@dataclass(frozen=True)
class FormatReward:
    """1.0 for `<think>…</think><answer>…</answer>` with each tag once, in order and around some text; else 0.0.

    White space may stand anywhere around the tags, other text only inside them. Linear in the length of the text.

    Args:
        answer_tags: whether the answer needs its tags; without, any text after `</think>` is the answer.
        think_in_prompt: whether the prompt ends with `<think>`, as R1-distilled chat templates do; then the
            completion must not open it again.

    >>> FormatReward()(["<think>1+1</think>\\n<answer>2</answer>", "<think>1+1</think> 2", "2"])
    [1.0, 0.0, 0.0]
    >>> FormatReward(answer_tags=False, think_in_prompt=True)(["1+1</think> 2"])
    [1.0]
    """

    answer_tags: bool = True
    think_in_prompt: bool = False
    __name__: ClassVar[str] = "format_reward"

    def __call__(self, completions: Completions, **columns: Any) -> list[float]:
        """The rewards of N completions (texts or chats); `columns` are unused."""
        return [float(self._well_formed(completion_text(completion))) for completion in completions]

    def _well_formed(self, text: str) -> bool:
        text = "<think>" + text if self.think_in_prompt else text
        tags = ("<think>", "</think>", "<answer>", "</answer>")
        if any(text.count(tag) != (self.answer_tags or tag.endswith("think>")) for tag in tags):
            return False
        answer = r"<answer>(.*)</answer>\s*" if self.answer_tags else "(.*)"
        found = re.fullmatch(rf"\s*<think>(.*)</think>\s*{answer}", text, re.DOTALL)
        return found is not None and all(part.strip() for part in found.groups())


format_reward = FormatReward()
