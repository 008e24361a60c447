"""The errors a person can mend, each one line: what was found, what was expected, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
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


def one_line(text: object, longest: int = 600) -> str:
    """A text or an error of somebody else's on one line, cut where it is long.

    >>> one_line(ValueError("no\\n  such file"))
    'no such file'
    """
    return " ".join(str(text).split())[:longest]


def nearest(name: object, known: Iterable[str]) -> str:
    """The hint that ends an error about an unknown name: the nearest one there is, else all of them.

    >>> nearest("sise", ["count", "size"]), nearest("x", ["count", "size"]), nearest("x", [])
    ("did you mean 'size'?", 'known: count, size', 'there is none')
    """
    known = list(known)
    near = get_close_matches(str(name), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}" if known else "there is none"
