"""Files on disk: written whole or not at all, JSON read back where a kill left half a line, one writer a folder."""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object, empty where there is no such file.

    Raises:
        UsageError: the file is no JSON object, or cannot be read.
    """
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UsageError(f"{file} is no JSON: {error}; what wrote it has to be run again") from error
    return _an_object(value, str(file))


def json_lines(file: Path) -> list[dict[str, Any]]:
    """The records of a JSON-lines file; a last line without its end, which a kill may leave, is not one.

    Raises:
        UsageError: a whole line that is no JSON object.
    """
    records = []
    with file.open("rb") as lines:  # text has more ends of line than JSON lines have: U+2028 stands as it is in them
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):
                break
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{file}, line {number} is no JSON: {error}") from error
            records.append(_an_object(record, f"{file}, line {number}"))
    return records


def write_json(file: Path, value: Any) -> None:
    """Write a JSON file whole, or leave the old one."""
    write_whole(file, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def write_json_lines(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a JSON-lines file whole, or leave the old one."""
    write_whole(file, _lines(records))


def write_whole(file: Path, content: str | bytes) -> None:
    """Write a file whole or, when killed in between, leave the old one. A lone surrogate is written as its escape.

    Raises:
        UsageError: the file cannot be written.
    """
    draft = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content)
        os.replace(draft, file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}; make room, or choose another place") from error


def append_json_lines(file: Path, records: Iterable[dict[str, Any]]) -> None:
    """Add records: a kill leaves all of them, or a part that ends in half a line; a full disk is an error."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as lines:
        lines.write(_lines(records).encode("utf-8", "backslashreplace"))


def _lines(records: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False, default=str) + "\n" for record in records)


def _an_object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{place}: expected a JSON object, got {type(value).__name__}")
    return value


@contextmanager
def locked(folder: Path, who: str, option: str) -> Iterator[None]:
    """Hold `folder`, which is made if it is not there.

    Args:
        folder: what is written to.
        who: another of what may hold it, for the message: "run".
        option: that names the folder: "--out".

    Raises:
        UsageError: another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / ".lock").open("w")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; choose another {option}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = f"another {who} is writing here"
            raise UsageError(f"{folder}: {other}; wait for it, or choose another {option}") from error
        except OSError:  # some network file systems have no locks
            print(f"note: {folder} cannot be locked; see that no other {who} writes there")
        yield
