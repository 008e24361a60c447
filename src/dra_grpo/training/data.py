"""The rows a run trains on and the rewards that judge them, checked against each other and against the tokenizer."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

from datasets import Dataset

from dra_grpo.config import DRAConfig
from dra_grpo.errors import UsageError, nearest
from dra_grpo.grading.answers import check_golds
from dra_grpo.registry import UnknownName, load_path
from dra_grpo.rewards import REWARDS, AccuracyReward
from dra_grpo.tasks import TASKS
from dra_grpo.tasks.data import TAKEN, subset
from dra_grpo.training.directory import note
from dra_grpo.training.settings import Settings


def training_data(
    settings: Settings, rewards: Sequence[Callable[..., Any]], tokenizer: Any
) -> tuple[Dataset, Dataset | None]:
    """The task's rows that `rewards` can judge and whose prompts are short enough; says how many are not.

    Returns:
        Those to train on, and those that it is evaluated on meanwhile; None without `eval_strategy`.

    Raises:
        UsageError: as the functions below.
    """
    rows, longest = training_rows(settings), settings.dataset.max_prompt_tokens
    check_rows(rewards, rows)
    kept = fitting(rows, tokenizer, longest, settings.training.chat_template_kwargs)  # type: ignore[arg-type]
    if len(kept) < len(rows):
        note(f"{len(rows) - len(kept)} of {len(rows)} problems left out: prompts of more than {longest} tokens")
    validation = []
    if settings.training.eval_strategy != "no":
        kept, validation = held_out(kept, settings)
    check_count(len(kept), settings)
    data = partial(Dataset.from_list, on_mixed_types="use_json")  # a column may hold numbers beside texts
    return data(kept), data(validation) if validation else None


def held_out(rows: list[dict[str, Any]], settings: Settings) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows to train on, and `validation_problems` to evaluate on meanwhile, which share no prompt.

    Countdown has a split for them. Of a data set they are those that `subset` draws, the same ones whatever else is
    set, and are taken out of the training rows.

    Raises:
        UsageError: more than there are.
    """
    count, task = settings.run.validation_problems, TASKS[settings.run.task]
    if task.name != "dataset":
        return rows, task.rows("validation", count, **settings.run.task_options)
    if count >= len(rows):
        raise UsageError(f"validation_problems is {count}, but there are {len(rows)} problems in all; hold out fewer")
    places = subset([row["prompt"] for row in rows], count, settings.dataset.subset_seed)
    taken = [rows[place] for place in places]
    prompts = {repr(row["prompt"]) for row in taken}
    return [row for row in rows if repr(row["prompt"]) not in prompts], taken


def check_count(problems: int, settings: Settings) -> None:
    """Refuse fewer problems than one generation takes prompts: TRL drops a last part that is not full, so all of them.

    Raises:
        UsageError: both numbers, and what to lower.
    """
    args: Any = settings.training
    prompts = args.generation_batch_size // args.num_generations
    if problems < prompts:
        lower = "lower per_device_train_batch_size or gradient_accumulation_steps"
        raise UsageError(f"{problems} problems are too few: one generation takes {prompts}; bring more, or {lower}")


def training_rows(settings: Settings) -> list[dict[str, Any]]:
    """The task's rows of the training split.

    Raises:
        UsageError: an option that the task does not have, or what the task raises.
    """
    task, data, options = TASKS[settings.run.task], settings.dataset, settings.run.task_options
    known = [] if task.name == "dataset" else [*inspect.signature(task.rows).parameters][2:]
    for option in options:
        if option not in known:
            raise UsageError(f"task {task.name!r} has no option {option!r}; {nearest(option, known)}")
    if task.name != "dataset":
        return task.rows("train", **options)
    source = {"name": data.dataset_name, "config": data.dataset_config, "seed": data.subset_seed}
    shape = {"columns": data.columns, "system_prompt": data.system_prompt, "prompt_format": data.prompt_format}
    return task.rows(data.dataset_train_split, data.subset, **source, **shape)


def check_rows(rewards: Sequence[Callable[..., Any]], rows: Sequence[dict[str, Any]]) -> None:
    """Refuse what TRL would find out after the first generation or never: a missing column, golds no answer can meet.

    Where an accuracy reward reads the golds, those that cannot be scored are said with an example.

    Raises:
        UsageError: a reward and the column that it reads and the rows lack, or most golds cannot be scored.
    """
    columns = [column for column in rows[0] if column != "prompt"]
    given = dict.fromkeys((*sorted(TAKEN - {"environments"}), *columns))
    for reward in rewards:
        try:
            inspect.signature(reward).bind(**given)
        except TypeError as error:
            called = f"reward {reward.__name__!r} cannot be called with the columns {', '.join(columns)}: {error}"
            raise UsageError(f"{called}; name what it reads with --columns NAME=COLUMN, and take **columns") from error
    if any(isinstance(getattr(reward, "accuracy", reward), AccuracyReward) for reward in rewards):
        golds = check_golds(row["solution"] for row in rows)
        if golds.useless:
            raise UsageError(f"{golds.message}; name the column of the answers with --columns solution=COLUMN")
        if golds.message:
            note(f"{golds.message}; no answer to these earns a reward")


def fitting(
    rows: list[dict[str, Any]], tokenizer: Any, longest: int | None, template: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The rows whose prompt has at most `longest` tokens, as the trainer will tokenize it.

    Args:
        rows: with `prompt`, as text or chat messages.
        tokenizer: the policy's.
        longest: tokens; None keeps all.
        template: further arguments of the chat template.

    Raises:
        UsageError: chat messages for a tokenizer without a chat template.
    """
    read = tokenizer
    if not isinstance(rows[0]["prompt"], str):
        if tokenizer.chat_template is None:
            hint = "use --prompt_format text, or a policy that was trained on chats"
            raise UsageError(f"the prompts are chat messages, but the policy's tokenizer has no chat template; {hint}")
        read = partial(tokenizer.apply_chat_template, add_generation_prompt=True, return_dict=True, **(template or {}))
    return rows if longest is None else [row for row in rows if len(read(row["prompt"])["input_ids"]) <= longest]


def reward_functions(settings: Settings) -> list[Any]:
    """The rewards named, or the task's own, with their options."""
    names = settings.run.reward_funcs or TASKS[settings.run.task].rewards
    return rewards_by_name(names, settings.run.reward_options)


def dra_config(settings: Settings) -> DRAConfig:
    """The adjustment's settings with the correctness reward named as TRL names it."""
    return replace(settings.dra, correctness_reward=function_name(settings.dra.correctness_reward))


def rewards_by_name(names: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Any]:
    """Reward functions in TRL's signature.

    Args:
        names: names in `REWARDS`, or dotted paths.
        options: one of `names` -> fields of that reward to set; a mapping inside sets fields of a reward inside.

    Raises:
        UsageError: an unknown name, two functions that are called alike, options for a reward that is not used or
            has none, or an unknown option.

    >>> options = {"cosine-length": {"max_tokens": 100, "accuracy": {"workers": 1}}}
    >>> (reward,) = rewards_by_name(["cosine-length"], options)
    >>> reward.max_tokens, reward.accuracy.workers, reward.__name__
    (100, 1, 'cosine_length_reward')
    """
    given = {function_name(name): (name, chosen) for name, chosen in (options or {}).items()}
    rewards: dict[str, Any] = {}
    for name in names:
        reward = _reward(name)
        if reward.__name__ in rewards:
            called = f"reward {name!r} is called {reward.__name__!r}, and so is another of {', '.join(names)}"
            raise UsageError(f"{called}; rename one: the log tells them apart by name")
        rewards[reward.__name__] = _with_options(reward, given.pop(reward.__name__, (name, {}))[1], name)
    for name, _ in given.values():
        raise UsageError(f"reward_options names {name!r}, which reward_funcs does not; {nearest(name, names)}")
    return list(rewards.values())


def function_name(name: str | None) -> str | None:
    """What TRL calls the reward of that name: `cosine-length` is `cosine_length_reward`. Other names stay."""
    try:
        return name and _reward(name).__name__
    except UnknownName:
        return name


def _reward(name: str) -> Any:
    reward = load_path(name) if "." in name or ":" in name else REWARDS[name]
    if not callable(reward) or not hasattr(reward, "__name__"):
        raise UsageError(f"reward {name!r} is {reward!r:.60}; expected a function (completions, **columns) -> rewards")
    return reward


def _with_options(reward: Any, options: Any, name: str) -> Any:
    if not isinstance(options, Mapping):
        raise UsageError(f"reward_options.{name} is {options!r:.60}; expected a mapping of its options")
    known = [field.name for field in fields(reward)] if is_dataclass(reward) else []
    chosen = {}
    for option, value in options.items():
        if option not in known:
            raise UsageError(f"reward {name!r} has no option {option!r}; {nearest(option, known)}")
        inner = getattr(reward, option)
        chosen[option] = _with_options(inner, value, f"{name}.{option}") if is_dataclass(inner) else value
    try:
        return replace(reward, **chosen) if chosen else reward  # type: ignore[type-var]
    except TypeError as error:
        raise UsageError(f"reward {name!r} refuses the options {options}: {error}") from error
