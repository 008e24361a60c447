"""What a run chooses beyond TRL's own fields; every field is a YAML key and a command-line flag."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from dra_grpo.errors import UsageError


@dataclass
class DRAConfig:
    """The adjustment: which method, on which embeddings, with whose word on correctness.

    Attributes:
        method: a name in `METHODS`.
        method_options: the method's own options, such as `{"smi": "logdet"}`.
        embedder: a name in `EMBEDDERS`, or "policy".
        embedder_options: the embedder's own options, such as `{"model": "path/or/hub-name"}`.
        embed: what of a completion is embedded: "completion", "think" or "answer".
        correctness_reward: name of the reward function whose value > 0 means correct. None: the only reward function.
        answer: `package.module:function` from completion text to canonical answer (or None), for the methods that
            compare answers.
    """

    method: str = field(default="dra", metadata={"help": "a name of `dra-grpo list methods`"})
    method_options: dict[str, Any] = field(default_factory=dict, metadata={"help": "the method's own options"})
    embedder: str = field(default="sentence-transformer", metadata={"help": "a name of `dra-grpo list embedders`"})
    embedder_options: dict[str, Any] = field(default_factory=dict, metadata={"help": "the embedder's options"})
    embed: str = field(default="completion", metadata={"help": "completion, think or answer"})
    correctness_reward: str | None = field(default=None, metadata={"help": "the reward function that says correct"})
    answer: str | None = field(default=None, metadata={"help": "package.module:function, text -> canonical answer"})


@dataclass
class RunConfig:
    """The run around the trainer: its data, its rewards, its evaluation, its directory.

    Attributes:
        task: a name of `dra-grpo list tasks`, which brings prompts and evaluation.
        task_options: the task's own options, such as `{"size": 4}`.
        reward_funcs: names of `dra-grpo list rewards` or dotted paths; None: the task's own.
        evaluation_split: "validation" or "test", the held-out problems that base and trained policy are evaluated on.
        evaluation_problems: how many; 0: no evaluation.
        samples_every: steps between two saved samples.
        resume: go on from the last complete checkpoint of `output_dir`.
        overwrite: start anew where `output_dir` holds a run.
        dry_run: resolve everything, print it, train nothing.

    Raises:
        UsageError: flags that contradict each other, or a count out of range.
    """

    task: str = field(default="countdown", metadata={"help": "a name of `dra-grpo list tasks`"})
    task_options: dict[str, Any] = field(default_factory=dict, metadata={"help": "the task's own options"})
    reward_funcs: list[str] | None = field(default=None, metadata={"help": "names or dotted paths of rewards"})
    evaluation_split: str = field(default="test", metadata={"help": "validation or test"})
    evaluation_problems: int = field(default=500, metadata={"help": "held-out problems; 0: no evaluation"})
    samples_every: int = field(default=10, metadata={"help": "steps between two saved samples"})
    resume: bool = field(default=False, metadata={"help": "go on from the last complete checkpoint"})
    overwrite: bool = field(default=False, metadata={"help": "start anew where output_dir holds a run"})
    dry_run: bool = field(default=False, metadata={"help": "print the resolved run and train nothing"})

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise UsageError("both --resume and --overwrite were given; take one: go on, or start anew")
        if self.samples_every < 1:
            raise UsageError(f"samples_every must be at least 1 step; got {self.samples_every}")
        if self.evaluation_problems < 0:
            raise UsageError(f"evaluation_problems must be at least 0; got {self.evaluation_problems}")


def own_settings(*configs: Any) -> dict[str, Any]:
    """Every field of our own dataclasses, as one flat dict."""
    return {f.name: getattr(config, f.name) for config in configs for f in fields(config)}
