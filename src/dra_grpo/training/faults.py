"""Which errors of a trainer a person can mend: those become one line, all others are bugs and keep their traceback."""

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from traceback import extract_tb, walk_tb

from torch import OutOfMemoryError

from dra_grpo.errors import UsageError, one_line

LIBRARIES = ("trl.", "transformers.", "peft.", "accelerate.", "huggingface_hub.", "datasets.", "torch.optim.")
REFUSING = (*LIBRARIES, "dra_grpo.engines.")
"""Modules whose own `raise` speaks of a setting, a package, a file or a server, and not of their insides."""


@contextmanager
def in_one_line(doing: str, keys: Collection[str] = ()) -> Iterator[None]:
    """Turn what a person can mend into a `UsageError`.

    Args:
        doing: what goes on, in front of the message.
        keys: of mappings that are handed on as arguments, such as `model_init_kwargs`.

    Raises:
        UsageError: in place of what `is_mendable` accepts.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, UsageError) or not is_mendable(error, keys):
            raise
        raise UsageError(f"{doing}: {one_line(error, 400)}") from error


def is_mendable(error: Exception, keys: Collection[str] = ()) -> bool:
    """Whether a library refused on purpose, a package is not there, or the GPU's memory or the disk is full.

    A line that fails by itself, in whatever library, in a reward function of one's own or here, is a bug.

    Args:
        error: as it was caught.
        keys: a `TypeError` that names one of these is about an argument that was given.
    """
    *_, (frame, _) = walk_tb(error.__traceback__)
    refusing = frame.f_globals.get("__name__", "").startswith(REFUSING)
    match error:
        case OutOfMemoryError() | OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return True
        case TypeError():
            return any(repr(key) in str(error) for key in keys)
        case ValueError() | OSError() | RuntimeError():
            refusing = refusing and (extract_tb(error.__traceback__)[-1].line or "").startswith("raise ")
    return refusing and isinstance(error, ImportError | ValueError | OSError | RuntimeError)
