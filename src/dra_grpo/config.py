"""What a run chooses beyond TRL's own fields; every field is a YAML key and a command-line flag."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

from dra_grpo.errors import UsageError

RENAMED = {"dataset_columns": "columns"}
"""setting of before -> its name now, for the message that refuses it."""


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
        reward_options: a reward's name to its options, such as `{"cosine-length": {"max_tokens": 1024}}`.
        processes: the training processes that the batch is meant for; a run with another number is refused. None: any.
        server_gpus: GPUs that serve generation beside the training ones, for the cost; None: 1 with a vLLM server.
        price_per_gpu_hour: what a GPU-hour costs, in the currency you think in; None: no money is shown.
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
    reward_options: dict[str, Any] = field(default_factory=dict, metadata={"help": "reward name -> its options"})
    processes: int | None = field(default=None, metadata={"help": "training processes that the batch is meant for"})
    server_gpus: int | None = field(default=None, metadata={"help": "GPUs of the generation server, for the cost"})
    price_per_gpu_hour: float | None = field(default=None, metadata={"help": "money a GPU-hour costs"})
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
        if self.evaluation_split not in ("validation", "test"):
            raise UsageError(f"evaluation_split is {self.evaluation_split!r}; expected 'validation' or 'test'")
        if self.evaluation_problems < 0:
            raise UsageError(f"evaluation_problems must be at least 0; got {self.evaluation_problems}")
        if self.processes is not None and self.processes < 1:
            raise UsageError(f"processes must be at least 1; got {self.processes}")
        for name in ("server_gpus", "price_per_gpu_hour"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise UsageError(f"{name} must be a number of at least 0; got {value}")


@dataclass
class DatasetConfig:
    """Problems from a file, a folder or the Hub; the first three names are TRL's.

    Attributes:
        dataset_name: a .jsonl, .json, .csv or .parquet file, a folder, or a Hub id.
        dataset_config: the dataset's configuration, where it has several.
        dataset_train_split: the split to train on.
        columns: what trainer and rewards read -> what the dataset calls it, such as `{"prompt": "problem"}`; a flag
            says `prompt=problem,solution=answer`.
        system_prompt: a name in `SYSTEM_PROMPTS` or the text itself; None: no system message.
        prompt_format: "chat", messages for the tokenizer's chat template, or "text".
        max_prompt_tokens: problems whose prompt is longer are left out, and counted; None: all are kept.
        subset: that many problems, drawn by `subset_seed`; None: all.
        subset_seed: another seed, another subset; of one seed, a smaller subset is part of a larger one.

    Raises:
        UsageError: an unknown format, or a count below 1.
    """

    dataset_name: str | None = field(default=None, metadata={"help": "file, folder or Hub id, for task 'dataset'"})
    dataset_config: str | None = field(default=None, metadata={"help": "the dataset's configuration"})
    dataset_train_split: str = field(default="train", metadata={"help": "the split to train on"})
    columns: dict[str, Any] = field(default_factory=dict, metadata={"help": "prompt=THEIRS,solution=THEIRS"})
    system_prompt: str | None = field(default=None, metadata={"help": "a name, such as think-answer, or the text"})
    prompt_format: str = field(default="chat", metadata={"help": "chat or text"})
    max_prompt_tokens: int | None = field(default=None, metadata={"help": "longer prompts are left out"})
    subset: int | None = field(default=None, metadata={"help": "train on that many problems"})
    subset_seed: int = field(default=0, metadata={"help": "which ones"})

    def __post_init__(self) -> None:
        if self.prompt_format not in ("chat", "text"):
            raise UsageError(f"prompt_format is {self.prompt_format!r}; expected 'chat' or 'text'")
        for name in ("max_prompt_tokens", "subset"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1; got {value}")


def own_settings(*configs: Any) -> dict[str, Any]:
    """Every field of our own dataclasses, as one flat dict."""
    return {f.name: getattr(config, f.name) for config in configs for f in fields(config)}
