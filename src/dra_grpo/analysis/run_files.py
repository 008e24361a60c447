"""Reading what a run left behind, also where it was killed in the middle of a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The records of a JSON-lines file; a last line without its end, which a kill may leave, is not one.

    Raises:
        UsageError: a whole line that is no JSON object.
    """
    records = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            break
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{file}, line {number} is no JSON: {error}") from error
        if not isinstance(record, dict):
            raise UsageError(f"{file}, line {number}: expected a JSON object, got {type(record).__name__}")
        records.append(record)
    return records


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object, empty where the file is not there.

    Raises:
        UsageError: the file is no JSON object.
    """
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{file} is no JSON: {error}; the run that wrote it has to be repeated") from error
    if not isinstance(value, dict):
        raise UsageError(f"{file}: expected a JSON object, got {type(value).__name__}")
    return value
