"""Problems from a dataset, as the rows a trainer takes."""

import json
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from dra_grpo.errors import UsageError, nearest
from dra_grpo.tasks.prompts import as_prompt, system_text
from dra_grpo.tasks.source import Row, read_rows

TAKEN = {"prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric", "environments"}
"""What TRL passes to rewards itself: a column of such a name could not be read, and is left out."""


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

    An answer at the end of chat messages is no part of the prompt: it is cut, and a warning says in how many.

    Args:
        split: which split.
        count: that many of them, see `subset`; None: all.
        name, config: see `read_rows`.
        columns: what trainer and rewards read -> what the dataset calls it, where dots reach into mappings.
            Columns not named keep their names.
        system_prompt: a name in `SYSTEM_PROMPTS` or the text itself.
        prompt_format: "chat" or "text".
        seed: which subset.

    Raises:
        UsageError: no such dataset or column, a row without a prompt, or more problems asked for than there are.
    """
    rows = []
    for number, row in enumerate(read_rows(name, config, split), 1):
        kept = {column: value for column, value in row.items() if column not in TAKEN}
        for ours, theirs in (columns or {}).items():
            missing = f"dataset {name!r}, row {number} has no column {theirs!r} (columns: {ours})"
            kept[ours] = inside(row, str(theirs), missing)
        rows.append(kept)
    names = dict.fromkeys(column for row in rows for column in row)
    rows = [{column: row.get(column) for column in names} for row in rows]
    if "prompt" not in names:
        known = ", ".join(names)
        raise UsageError(f"dataset {name!r} has no column 'prompt', only: {known}; set --columns prompt=COLUMN")
    if count is not None and count > len(rows):
        raise UsageError(f"subset is {count}, but dataset {name!r} has {len(rows)} problems; ask for fewer")
    chosen = range(len(rows)) if count is None else subset([row["prompt"] for row in rows], count, seed)
    system = system_text(system_prompt)
    answered = 0
    for place in chosen:
        given = rows[place]["prompt"]
        try:
            rows[place]["prompt"] = prompt = as_prompt(given or "", system, prompt_format)
        except UsageError as error:
            raise UsageError(f"dataset {name!r}, row {place + 1}: {error}") from error
        answered += isinstance(given, list) and given[-1] != prompt[-1]
    if answered and os.environ.get("RANK", "0") == "0":  # of several processes, one says it
        said = f"{answered} of {len(chosen)} prompts ended with the assistant's answer, which was cut off"
        logging.getLogger(__name__).warning(said)
    return [rows[place] for place in chosen]


def parse_columns(text: str, roles: Collection[str] = ()) -> dict[str, str]:
    """Which column plays which role, as every command writes it: `ROLE=COLUMN,ROLE=COLUMN`.

    Args:
        text: the pairs. A column may reach into a mapping with dots.
        roles: those there are; empty: any.

    Raises:
        UsageError: a part that is no pair, or an unknown role.

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
            raise UsageError(f"columns has no role {role!r}; {nearest(role, roles)}")
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

    texts = [json.dumps([seed, prompt], ensure_ascii=True, sort_keys=True) for prompt in prompts]
    digests = [blake2b(text.encode("ascii"), digest_size=16).digest() for text in texts]
    return sorted(sorted(range(len(prompts)), key=digests.__getitem__)[:count])


def inside(mapping: Mapping[str, Any], path: str, missing: str, above: str = "") -> Any:
    """The value at a path whose dots reach into mappings; a name with a dot in it comes first."""
    if path in mapping:
        return mapping[path]
    head, dot, rest = path.partition(".")
    inner = mapping.get(head)
    if dot and isinstance(inner, Mapping):
        return inside(inner, rest, missing, f"in {head!r}: ")
    raise UsageError(f"{missing}; {above}{nearest(path, mapping)}")
