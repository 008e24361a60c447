"""The errors a person can mend, each one line: what was found, what was expected, what to do."""

from __future__ import annotations

from importlib.util import find_spec


class UsageError(ValueError):
    """Input the caller can mend: the command line prints its one line and exits with 2, without a traceback."""


class MissingExtra(UsageError, ImportError):
    """A package that an extra installs is not there."""


def require(module: str, extra: str, purpose: str) -> None:
    """Raise `MissingExtra` unless `module` can be imported.

    >>> require("torch", "trl", "anything")
    >>> require("no_such", "trl", "the TRL engine")
    Traceback (most recent call last):
    dra_grpo.errors.MissingExtra: the TRL engine needs 'no_such', which is not installed; pip install 'dra-grpo[trl]'
    """
    if find_spec(module) is None:
        raise MissingExtra(f"{purpose} needs {module!r}, which is not installed; pip install 'dra-grpo[{extra}]'")
