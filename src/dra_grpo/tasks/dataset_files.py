"""Dataset files: JSON lines, JSON, CSV and Parquet, read whole, with errors that name the line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError, require

Row = dict[str, Any]

LONGEST_FIELD = 1 << 27
"""Characters in a CSV field; Python's own limit, 131,072, is shorter than some worked solutions."""


def file_rows(path: Path, split: str = "train") -> list[Row]:
    """All rows of a file whose ending is in `READERS`.

    Args:
        path: the file.
        split: `train`, but for a JSON object of lists, one for each split.

    Raises:
        UsageError: another ending, or a file that cannot be read as what its ending says.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(f"{path} ends in {path.suffix!r}; expected one of: {', '.join(READERS)}")
    try:
        return reader(path, split)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _only_train(path: Path, split: str) -> None:
    if split != "train":
        raise UsageError(f"{path} is one split; leave dataset_train_split out (it is {split!r})")


def _json_lines(path: Path, split: str) -> list[Row]:
    _only_train(path, split)
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number} is no JSON: {error}") from error
        rows.append(_checked(row, f"{path}, line {number}"))
    return rows


def _json_file(path: Path, split: str) -> list[Row]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:  # many a .json file is one object a line
        return _json_lines(path, split)
    if isinstance(value, dict) and value and all(isinstance(rows, list) for rows in value.values()):
        if split not in value:
            raise UsageError(f"{path} has no split {split!r}; it has: {', '.join(value)}")
        value = value[split]
    else:
        _only_train(path, split)
        value = [value] if isinstance(value, dict) else value
    if not isinstance(value, list):
        raise UsageError(f"{path} holds a {type(value).__name__}; expected a list of objects, one for each problem")
    return [_checked(row, f"{path}, entry {number}") for number, row in enumerate(value, 1)]


def _csv_file(path: Path, split: str) -> list[Row]:
    _only_train(path, split)
    csv.field_size_limit(LONGEST_FIELD)
    with path.open(newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, strict=True)
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise UsageError(f"{path}, line {reader.line_num} has not as many fields as the header")
            rows.append(dict(row))
    return rows


def _parquet_file(path: Path, split: str) -> list[Row]:
    _only_train(path, split)
    require("pyarrow", "trl", f"reading {path}")
    from pyarrow import ArrowInvalid, parquet

    try:
        return parquet.read_table(path).to_pylist()
    except ArrowInvalid as error:
        raise UsageError(f"{path} is no Parquet file: {' '.join(str(error).split())}") from error


def _checked(row: Any, where: str) -> Row:
    if not isinstance(row, dict):
        raise UsageError(f"{where}: expected an object, one problem; got {type(row).__name__}")
    return row


READERS: dict[str, Callable[[Path, str], list[Row]]] = {
    ".jsonl": _json_lines,
    ".json": _json_file,
    ".csv": _csv_file,
    ".parquet": _parquet_file,
}
"""file ending -> its reader."""
