"""An argument parser whose errors are one line like every other."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import NoReturn

from dra_grpo.errors import UsageError


class CommandParser(ArgumentParser):
    """`ArgumentParser` that raises `UsageError` in place of printing its usage."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong and where the help is."""
        raise UsageError(f"{message}; see `{self.prog} --help`")
