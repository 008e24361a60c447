"""One writer a folder: the system lets go of it when the process ends, however that happens."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dra_grpo.errors import UsageError


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
            raise UsageError(
                f"{folder}: another {who} is writing here; wait for it, or choose another {option}"
            ) from error
        except OSError:  # some network file systems have no locks
            print(f"note: {folder} cannot be locked; see that no other {who} writes there")
        yield
