"""The rows a run trains on and the rewards that judge them, checked against each other and against the tokenizer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from dra_grpo.errors import UsageError
from dra_grpo.registry import load_path
from dra_grpo.rewards import REWARDS
from dra_grpo.tasks import TASKS
from dra_grpo.tasks.data import TAKEN
from dra_grpo.training.directory import is_main_process

if TYPE_CHECKING:
    from datasets import Dataset

    from dra_grpo.training.settings import Settings


def training_data(settings: Settings, rewards: Sequence[Callable[..., Any]], tokenizer: Any) -> list[dict[str, Any]]:
    """The task's rows that `rewards` can judge and whose prompts are short enough; says how many are not.

    Raises:
        UsageError: as the functions below.
    """
    rows, longest = training_rows(settings), settings.dataset.max_prompt_tokens
    check_columns(rewards, rows)
    kept = fitting(rows, tokenizer, longest, settings.training.chat_template_kwargs)  # type: ignore[arg-type]
    if len(kept) < len(rows) and is_main_process():
        print(f"note: {len(rows) - len(kept)} of {len(rows)} problems left out: prompts of more than {longest} tokens")
    check_count(len(kept), settings)
    return kept


def as_dataset(rows: list[dict[str, Any]]) -> Dataset:
    """The rows as the trainer takes them: every column of one kind.

    Raises:
        UsageError: a column of several kinds, such as numbers and texts, or with what no column can hold.
    """
    from datasets import Dataset

    columns = {name: [row[name] for row in rows] for name in rows[0]}
    for name, values in columns.items():
        try:
            Dataset.from_dict({name: values})
        except (ValueError, TypeError, OverflowError) as error:
            raise UsageError(
                f"column {name!r} cannot be handed to the trainer ({' '.join(str(error).split())}); make it all "
                "text or all numbers"
            ) from error
    return Dataset.from_dict(columns)


def check_count(problems: int, settings: Settings) -> None:
    """Refuse fewer problems than one generation takes prompts: TRL drops a last part that is not full, so all of them.

    Raises:
        UsageError: both numbers, and what to lower.
    """
    args: Any = settings.training
    prompts = args.generation_batch_size // args.num_generations
    if problems < prompts:
        raise UsageError(
            f"{problems} problem{'s' * (problems != 1)} to train on, but one generation takes {prompts} prompts; "
            "bring more, or lower per_device_train_batch_size or gradient_accumulation_steps"
        )


def training_rows(settings: Settings) -> list[dict[str, Any]]:
    """The task's rows of the training split.

    Raises:
        UsageError: an option that the task does not have, or what the task raises.
    """
    task, data = TASKS[settings.run.task], settings.dataset
    if task.name == "dataset":
        options = {
            "name": data.dataset_name,
            "config": data.dataset_config,
            "columns": data.columns,
            "system_prompt": data.system_prompt,
            "prompt_format": data.prompt_format,
            "seed": data.subset_seed,
        }
        if settings.run.task_options:
            raise UsageError("task 'dataset' has no task_options; its settings are dataset_name and what goes with it")
        return task.rows(data.dataset_train_split, data.subset, **options)
    known = [*inspect.signature(task.rows).parameters][2:]
    for option in settings.run.task_options:
        if option not in known:
            near = get_close_matches(option, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise UsageError(f"task {task.name!r} has no option {option!r}; {hint}")
    return task.rows("train", **settings.run.task_options)


def check_columns(rewards: Sequence[Callable[..., Any]], rows: Sequence[dict[str, Any]]) -> None:
    """Refuse a reward that reads a column which the rows do not have: TRL would find out after the first generation.

    Raises:
        UsageError: the reward, the column, and the nearest one there is.
    """
    columns = [column for column in rows[0] if column != "prompt"]
    for reward in rewards:
        for parameter in inspect.signature(reward).parameters.values():
            needed = parameter.default is parameter.empty and parameter.kind in (
                parameter.POSITIONAL_OR_KEYWORD,
                parameter.KEYWORD_ONLY,
            )
            if needed and parameter.name not in TAKEN and parameter.name not in columns:
                near = get_close_matches(parameter.name, columns, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(columns)}"
                raise UsageError(
                    f"reward {reward.__name__!r} reads the column {parameter.name!r} and the data has none; "
                    f"name it with --columns {parameter.name}=COLUMN; {hint}"
                )


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
        UsageError: chat messages for a tokenizer without a chat template, or no row is short enough.
    """
    chat = not isinstance(rows[0]["prompt"], str)
    if chat and tokenizer.chat_template is None:
        raise UsageError(
            "the prompts are chat messages, but the policy's tokenizer has no chat template; use --prompt_format "
            "text, or start from a policy that was trained on chats"
        )
    if longest is None:
        return rows
    kept = []
    for row in rows:
        if chat:
            text = tokenizer.apply_chat_template(
                row["prompt"], add_generation_prompt=True, tokenize=False, **(template or {})
            )
        else:
            text = row["prompt"]
        if len(tokenizer(text, add_special_tokens=not chat)["input_ids"]) <= longest:
            kept.append(row)
    if not kept:
        raise UsageError(f"each of the {len(rows)} prompts has more than max_prompt_tokens = {longest} tokens")
    return kept


def rewards_by_name(names: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None = None) -> list[Any]:
    """Reward functions in TRL's signature.

    Args:
        names: names in `REWARDS`, or dotted paths.
        options: one of `names` -> fields of that reward to set; a mapping inside sets fields of a reward inside.

    Raises:
        UsageError: an unknown name, options for a reward that is not used or has none, or an unknown option.

    >>> options = {"cosine-length": {"max_tokens": 100, "accuracy": {"workers": 1}}}
    >>> (reward,) = rewards_by_name(["cosine-length"], options)
    >>> reward.max_tokens, reward.accuracy.workers, reward.__name__
    (100, 1, 'cosine_length_reward')
    """
    given = {_spelling(name): (name, set_) for name, set_ in (options or {}).items()}
    rewards = []
    for name in names:
        reward = load_path(name) if "." in name or ":" in name else REWARDS[name]
        if not callable(reward) or not hasattr(reward, "__name__"):
            raise UsageError(
                f"reward {name!r} is {reward!r:.60}; expected a function (completions, **columns) -> rewards"
            )
        _, chosen = given.pop(_spelling(name), (name, {}))
        rewards.append(_with_options(reward, chosen, name))
    for name, _ in given.values():
        near = get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the rewards are: {', '.join(names)}"
        raise UsageError(f"reward_options names {name!r}, which is not among reward_funcs; {hint}")
    return rewards


def function_name(name: str | None) -> str | None:
    """What TRL calls the reward of that name: `cosine-length` is `cosine_length_reward`. Other names stay."""
    spellings = {_spelling(known): known for known in REWARDS}
    return REWARDS[spellings[_spelling(name)]].__name__ if name and _spelling(name) in spellings else name


def _spelling(name: str) -> str:
    return name.replace("_", "-")


def _with_options(reward: Any, options: Any, name: str) -> Any:
    if not isinstance(options, Mapping):
        raise UsageError(f"reward_options.{name} is {options!r:.60}; expected a mapping of its options")
    if not options:
        return reward
    if not is_dataclass(reward) or isinstance(reward, type):
        raise UsageError(f"reward {name!r} has no options; got {', '.join(options)}")
    known = [field.name for field in fields(reward)]
    for option in options:
        if option not in known:
            near = get_close_matches(str(option), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise UsageError(f"reward {name!r} has no option {option!r}; {hint}")
    inside = {
        option: _with_options(getattr(reward, option), value, f"{name}.{option}")
        for option, value in options.items()
        if is_dataclass(getattr(reward, option))
    }
    try:
        return replace(reward, **{**options, **inside})
    except TypeError as error:
        raise UsageError(f"reward {name!r} refuses {dict(options)}: {error}") from error
