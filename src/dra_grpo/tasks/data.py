"""Problems from a dataset, as the rows a trainer takes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

from dra_grpo.errors import UsageError
from dra_grpo.tasks.dataset_files import Row
from dra_grpo.tasks.dataset_source import read_rows
from dra_grpo.tasks.prompts import as_prompt, system_text

TAKEN = {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric", "environments"}
"""What TRL passes to rewards itself: a column of such a name could not be read, and is left out."""

_ASKING = ("problem", "question", "query", "instruction", "input")


def dataset_rows(
    split: str,
    count: int | None = None,
    *,
    name: str,
    config: str | None = None,
    columns: Mapping[str, str] | None = None,
    system_prompt: str | None = None,
    prompt_format: str = "chat",
    seed: int = 0,
) -> list[Row]:
    """A dataset's problems with `prompt` and every other column, in the dataset's order.

    Args:
        split: which split.
        count: that many of them, see `subset`; None: all.
        name, config: see `read_rows`.
        columns: what trainer and rewards read -> what the dataset calls it. Columns not named keep their names.
        system_prompt: a name in `SYSTEM_PROMPTS` or the text itself.
        prompt_format: "chat" or "text".
        seed: which subset.

    Raises:
        UsageError: no such dataset or column, a row without a prompt, or more problems asked for than there are.
    """
    rows = [
        _renamed(row, columns or {}, f"dataset {name!r}, row {n}")
        for n, row in enumerate(read_rows(name, config, split), 1)
    ]
    columns_of_all = dict.fromkeys(column for row in rows for column in row)
    rows = [{column: row.get(column) for column in columns_of_all} for row in rows]
    if "prompt" not in columns_of_all:
        has = list(rows[0])
        column = next((asking for asking in _ASKING if asking in has), has[0] if has else "problem")
        raise UsageError(
            f"dataset {name!r} has no column 'prompt', only: {', '.join(has)}; name the one that holds the problem, "
            f"such as --columns prompt={column}"
        )
    if count is not None and count > len(rows):
        raise UsageError(f"subset is {count}, but dataset {name!r} has {len(rows)} problems; ask for fewer")
    system = system_text(system_prompt)
    chosen = range(len(rows)) if count is None else subset([row.get("prompt") for row in rows], count, seed)
    return [_prompted(rows[place], system, prompt_format, f"dataset {name!r}, row {place + 1}") for place in chosen]


def parse_columns(text: str, roles: Collection[str] = ()) -> dict[str, str]:
    """Which column plays which role, as every command writes it: `ROLE=COLUMN,ROLE=COLUMN`.

    Args:
        text: the pairs. A column may reach into a mapping with dots.
        roles: those there are; empty: any.

    Raises:
        UsageError: a part that is no pair, an unknown role, or a role that is there twice.

    >>> parse_columns("prompt=question,solution=reward_model.ground_truth")
    {'prompt': 'question', 'solution': 'reward_model.ground_truth'}
    >>> parse_columns("promt=question", ["prompt", "solution"])
    Traceback (most recent call last):
    dra_grpo.errors.UsageError: columns has no role 'promt'; did you mean 'prompt'?
    """
    columns: dict[str, str] = {}
    for part in text.split(","):
        role, _, column = (side.strip() for side in part.partition("="))
        if not role or not column:
            raise UsageError(f"columns has {part!r}; expected ROLE=COLUMN, such as prompt=question,solution=answer")
        if roles and role not in roles:
            near = get_close_matches(role, roles, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(roles)}"
            raise UsageError(f"columns has no role {role!r}; {hint}")
        if role in columns:
            raise UsageError(f"columns names {role!r} twice, {columns[role]!r} and {column!r}; expected it once")
        columns[role] = column
    return columns


def subset(prompts: Sequence[Any], count: int, seed: int = 0) -> list[int]:
    """Places of `count` prompts, in order: those with the smallest BLAKE2 digests of seed and prompt.

    No generator is involved, so the draw is the same with every version of everything and whatever the order of the
    rows, and 100 of a seed are among 1,000 of it.

    >>> prompts = [f"{n}+{n}=?" for n in range(8)]
    >>> subset(prompts, 4), subset(prompts, 2), subset(prompts, 4, seed=1)
    ([2, 4, 6, 7], [6, 7], [0, 2, 3, 7])
    """

    def digest(place: int) -> tuple[bytes, int]:
        text = json.dumps([seed, prompts[place]], ensure_ascii=True, sort_keys=True)
        return blake2b(text.encode("ascii"), digest_size=16).digest(), place

    return sorted(sorted(range(len(prompts)), key=digest)[:count])


def _renamed(row: Row, columns: Mapping[str, str], where: str) -> Row:
    renamed = {column: value for column, value in row.items() if column not in TAKEN}
    for ours, theirs in columns.items():
        if not isinstance(theirs, str) or theirs not in row:
            near = get_close_matches(str(theirs), list(row), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(row)}"
            raise UsageError(f"{where} has no column {theirs!r} (columns: {ours}); {hint}")
        renamed[ours] = row[theirs]
    return renamed


def _prompted(row: Row, system: str | None, form: str, where: str) -> Row:
    try:
        return {**row, "prompt": as_prompt(row.get("prompt") or "", system, form)}
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
