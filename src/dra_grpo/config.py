"""What a run chooses beyond TRL's own fields; every field is a YAML key and a command-line flag."""

from dataclasses import dataclass, field
from typing import Any

from dra_grpo.errors import UsageError

RENAMED = {"dataset_columns": "columns"}
"""setting of before -> its name now, for the message that refuses it."""


@dataclass
class DRAConfig:
    """The adjustment: which method, on which embeddings, with whose word on correctness.

    Attributes:
        method: a name of `dra-grpo list methods`; in Python also a method object.
        method_options: the method's own options, such as `{"smi": "logdet"}`.
        embedder: a name of `dra-grpo list embedders`, or "policy"; in Python also an embedder, or a function from
            texts to rows.
        embedder_options: the embedder's own options, such as `{"model": "path/or/hub-name"}`.
        embed: what of a completion is embedded: "completion", "think" or "answer".
        correctness_reward: name of the reward function whose value > 0 means correct. None: the only reward function.
        answer: `package.module:function` from completion text to canonical answer (or None), for the methods that
            compare answers.
    """

    method: Any = "dra"
    method_options: dict[str, Any] = field(default_factory=dict)
    embedder: Any = "sentence-transformer"
    embedder_options: dict[str, Any] = field(default_factory=dict)
    embed: str = "completion"
    correctness_reward: str | None = None
    answer: str | None = None


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
        validation_problems: those of the curves, evaluated as eval_strategy says while it trains: of Countdown's
            validation split, or so many of the data set's problems, which are then not trained on.
        samples_every: steps between two saved samples.
        resume: go on from the newest whole checkpoint of `output_dir`.
        overwrite: start anew where `output_dir` holds a run.
        dry_run: resolve everything, print it, train nothing.

    Raises:
        UsageError: flags that contradict each other.
    """

    task: str = "countdown"
    task_options: dict[str, Any] = field(default_factory=dict)
    reward_funcs: list[str] | None = None
    reward_options: dict[str, Any] = field(default_factory=dict)
    processes: int | None = None
    server_gpus: int | None = None
    price_per_gpu_hour: float | None = None
    evaluation_split: str = "test"
    evaluation_problems: int = 500
    validation_problems: int = 200
    samples_every: int = 10
    resume: bool = False
    overwrite: bool = False
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise UsageError("both --resume and --overwrite were given; take one: go on, or start anew")


@dataclass
class DatasetConfig:
    """Problems from a file, a folder or the Hub; the first three names are TRL's.

    Attributes:
        dataset_name: a .jsonl, .json, .csv or .parquet file, a folder, or a Hub id, for task `dataset`.
        dataset_config: the dataset's configuration, where it has several.
        dataset_train_split: the split to train on.
        columns: what trainer and rewards read -> what the dataset calls it, such as `{"prompt": "problem"}`; a flag
            says `prompt=problem,solution=answer`.
        system_prompt: a name in `SYSTEM_PROMPTS`, such as `think-answer`, or the text itself; None: no system message.
        prompt_format: "chat", messages for the tokenizer's chat template, or "text".
        max_prompt_tokens: problems whose prompt is longer are left out, and counted; None: all are kept.
        subset: that many problems, drawn by `subset_seed`; None: all.
        subset_seed: another seed, another subset; of one seed, a smaller subset is part of a larger one.
    """

    dataset_name: str | None = None
    dataset_config: str | None = None
    dataset_train_split: str = "train"
    columns: dict[str, Any] = field(default_factory=dict)
    system_prompt: str | None = None
    prompt_format: str = "chat"
    max_prompt_tokens: int | None = None
    subset: int | None = None
    subset_seed: int = 0
