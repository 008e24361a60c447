"""Which errors of a trainer a person can mend: those become one line, all others are bugs and keep their traceback."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from traceback import extract_tb, walk_tb

from dra_grpo.errors import UsageError

REFUSING = (
    "trl.", "transformers.", "peft.", "accelerate.", "huggingface_hub.", "datasets.", "torch.optim.",
    "dra_grpo.engines.",
)  # fmt: skip
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
    except UsageError:
        raise
    except Exception as error:
        if not is_mendable(error, keys):
            raise
        raise UsageError(f"{doing}: {' '.join(str(error).split()):.400}") from error


def is_mendable(error: Exception, keys: Collection[str] = ()) -> bool:
    """Whether a library refused on purpose, a package is not there, or the GPU's memory or the disk is full.

    A line that fails by itself, in whatever library, in a reward function of one's own or here, is a bug.

    Args:
        error: as it was caught.
        keys: a `TypeError` that names one of these is about an argument that was given.
    """
    from torch import OutOfMemoryError

    *_, (frame, _) = walk_tb(error.__traceback__)
    refusing = frame.f_globals.get("__name__", "").startswith(REFUSING)
    on_purpose = refusing and (extract_tb(error.__traceback__)[-1].line or "").startswith("raise ")
    if isinstance(error, OutOfMemoryError) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return True
    if isinstance(error, TypeError):
        return any(repr(key) in str(error) for key in keys)
    if isinstance(error, ImportError):
        return refusing
    return on_purpose and isinstance(error, (ValueError, OSError, RuntimeError))
