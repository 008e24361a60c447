"""Where a dataset's rows come from: one file, a folder, or the Hub."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

from dra_grpo.errors import UsageError, require
from dra_grpo.hub import NotCached, check_hub
from dra_grpo.tasks.dataset_files import READERS, Row, file_rows

KNOWN_SIZES = {("knoveleng/open-rs", "train"): 7000}
"""(Hub id, split) -> rows, for what is worked out before anything is downloaded."""

INSTEAD = "name a local .jsonl, .json, .csv or .parquet file or a folder with --dataset_name"
"""What to do where the Hub cannot be reached."""


def read_rows(name: str, config: str | None = None, split: str = "train") -> list[Row]:
    """All rows of a dataset.

    Args:
        name: a .jsonl, .json, .csv or .parquet file; a folder, as `save_to_disk` or a download leaves it; or a Hub id.
        config: the configuration, where a folder or the Hub has several.
        split: which split. A file is one, `train`, unless it is a JSON object of lists, one for each split.

    Raises:
        UsageError: nothing is there, it cannot be read, or it holds no rows.
    """
    path = Path(name).expanduser()
    if path.is_file():
        if config is not None:
            raise UsageError(f"{path} is one file; leave dataset_config out (it is {config!r})")
        rows = file_rows(path, split)
        if not rows:
            raise UsageError(f"{path} has no rows; expected at least one problem")
        return rows
    if not path.is_dir() and is_local(name):
        raise UsageError(f"no file or folder at {name!r}; expected a dataset file, a folder or a Hub id 'owner/name'")
    rows = _loaded_rows(str(path) if path.is_dir() else name, config, split)
    if not rows:
        raise UsageError(f"dataset {name!r} holds no rows in split {split!r}; expected at least one problem")
    return rows


def is_local(name: str) -> bool:
    """Whether a name is a file or folder, or cannot be anything else: the Hub is not asked for it."""
    hub_id = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name, re.ASCII) and Path(name).suffix.lower() not in READERS
    return not hub_id or Path(name).exists()


def _loaded_rows(name: str, config: str | None, split: str) -> list[Row]:
    require("datasets", "trl", f"dataset {name!r}")
    from datasets import DatasetDict, load_dataset, load_from_disk
    from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError

    folder = Path(name)
    try:
        if (folder / "state.json").exists() or (folder / "dataset_dict.json").exists():
            saved = load_from_disk(name)
            if isinstance(saved, DatasetDict):
                if split not in saved:
                    raise _no_split(name, split, [str(known) for known in saved])
                saved = saved[split]
        else:
            if not folder.is_dir():
                _check_cached(name)
            saved = load_dataset(name, config, split=split)
    except DatasetNotFoundError as error:
        raise UsageError(f"dataset {name!r} cannot be loaded: {_first_line(error)}; check the spelling") from error
    except ConnectionError as error:
        raise UsageError(
            f"dataset {name!r} cannot be loaded: {_first_line(error)}; go online, or {INSTEAD}"
        ) from error
    except (ValueError, FileNotFoundError, DatasetGenerationError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"dataset {name!r} cannot be loaded: {_first_line(error)}") from error
    return [dict(row) for row in saved]  # type: ignore[call-overload]


def _check_cached(name: str) -> None:
    """Ask the Hub once: `load_dataset` would retry for half a minute before it says that there is none."""
    from datasets import config

    try:
        check_hub(name, "dataset", instead=INSTEAD)
    except NotCached:
        if not (Path(config.HF_DATASETS_CACHE) / name.replace("/", "___")).is_dir():
            raise


def _no_split(name: str, split: str, known: list[str]) -> UsageError:
    near = get_close_matches(split, known, n=1)
    return UsageError(
        f"dataset {name!r} has no split {split!r}; "
        + (f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}")
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
