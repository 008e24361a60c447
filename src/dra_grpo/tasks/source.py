"""Where a dataset's rows come from: one file, a folder, or the Hub.

Folders and the Hub are read by `datasets`. Single text files are not: its loaders guess types, and would make a date
of the answer "2024-01-01", the number 7 of "007" and nothing of "None".
"""

import csv
import json
import re
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError, nearest, require
from dra_grpo.hub import check_hub

Row = dict[str, Any]

KNOWN_SIZES = {("knoveleng/open-rs", "train"): 7000}
"""(Hub id, split) -> rows, for what is worked out before anything is downloaded."""

INSTEAD = "name a local .jsonl, .json, .csv or .parquet file or a folder with --dataset_name"
"""What to do where the Hub cannot be reached."""


def read_rows(name: str, config: str | None = None, split: str = "train") -> list[Row]:
    """All rows of a dataset.

    Args:
        name: a .jsonl, .json, .csv or .parquet file; a folder, as `save_to_disk` or a download leaves it; or a Hub id.
        config: the configuration, where a folder or the Hub has several.
        split: which split; a file is one, `train`.

    Raises:
        UsageError: nothing is there, it cannot be read, or it holds no rows.
    """
    path = Path(name).expanduser()
    if path.is_file():
        if config is not None or split != "train":
            raise UsageError(f"{path} is one file; leave dataset_config and dataset_train_split out")
        rows = _file_rows(path)
    elif path.is_dir() or not is_local(name):
        rows = _loaded_rows(str(path) if path.is_dir() else name, config, split)
    else:
        raise UsageError(f"no file or folder at {name!r}; expected a dataset file, a folder or a Hub id 'owner/name'")
    if not rows:
        raise UsageError(f"dataset {name!r} has no rows in split {split!r}; expected at least one problem")
    return rows


def is_local(name: str) -> bool:
    """Whether a name is a file or folder, or cannot be anything else: the Hub is not asked for it."""
    hub_id = re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", name, re.ASCII) and Path(name).suffix.lower() not in READERS
    return not hub_id or Path(name).exists()


def _file_rows(path: Path) -> list[Row]:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} ends in {path.suffix!r}; expected one of: {', '.join(READERS)}")
    try:
        rows = reader(path)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise UsageError(f"{path}, row {number}: expected an object, one problem; got {type(row).__name__}")
    return rows


def _json_file(path: Path) -> list[Any]:
    """A list of objects, one object, or one a line, which many a .json file is too."""
    text = path.read_text(encoding="utf-8-sig")
    decoder, visible, rows, end = json.JSONDecoder(), re.compile(r"\S"), [], 0
    while found := visible.search(text, end):
        value, end = decoder.raw_decode(text, found.start())
        rows += value if isinstance(value, list) else [value]
    return rows


def _csv_file(path: Path) -> list[Row]:
    csv.field_size_limit(1 << 27)  # of 131,072 characters, which some worked solutions exceed
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines, strict=True))
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise ValueError(f"row {number} has not as many fields as the header")
    return rows


def _parquet_file(path: Path) -> list[Row]:
    require("pyarrow", "trl", "Parquet")
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()


READERS = {".jsonl": _json_file, ".json": _json_file, ".csv": _csv_file, ".parquet": _parquet_file}
"""What reads a file, by its ending."""


def _loaded_rows(name: str, configuration: str | None, split: str) -> list[Row]:
    require("datasets", "trl", f"dataset {name!r}")
    from datasets import Dataset, config, load_dataset, load_from_disk
    from datasets.exceptions import DatasetGenerationError

    folder = Path(name)
    if not folder.is_dir() and not (Path(config.HF_DATASETS_CACHE) / name.replace("/", "___")).is_dir():
        check_hub(name, "dataset", INSTEAD)  # `load_dataset` would retry for half a minute before it says so
    try:
        if not (folder / "state.json").exists() and not (folder / "dataset_dict.json").exists():
            return [*load_dataset(name, configuration, split=split)]  # pyright: ignore[reportReturnType]
        saved = load_from_disk(name)
    except (OSError, ValueError, DatasetGenerationError) as error:
        reason = str(error.__cause__ or error).strip().partition("\n")[0].rstrip(".")
        raise UsageError(f"dataset {name!r} cannot be loaded: {reason}; check it, or {INSTEAD}") from error
    splits = {split: saved} if isinstance(saved, Dataset) else saved
    if split not in splits:
        raise UsageError(f"dataset {name!r} has no split {split!r}; {nearest(split, map(str, splits))}")
    return [*splits[split]]  # pyright: ignore[reportReturnType]
