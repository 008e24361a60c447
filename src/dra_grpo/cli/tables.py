"""What every command reads and prints: arguments with errors of one line, and tables."""

from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from io import StringIO
from shutil import get_terminal_size
from typing import Any, NoReturn

from dra_grpo.errors import UsageError

NARROW, WIDTH = 80, 98
"""Columns that a table takes: as many as the terminal has, within these. A letter with a mark above is one."""
SHORT = 24
"""A column of cells up to so long, or of names, is never broken, though the table be wider than the terminal."""


class CommandParser(ArgumentParser):
    """`ArgumentParser` that takes no abbreviated flag and raises `UsageError` in place of printing its usage."""

    def __init__(self, **options: Any):
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong and where the help is."""
        raise UsageError(f"{message}; see `{self.prog} --help`")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Plain text in columns under a rule; a cell that is too long for its column goes on below.

    Args:
        header: the columns' names.
        rows: the cells, one a column.

    >>> print(table(["name", "stage"], [["dra", "reward"]]))
    name  stage
    ----- ------
    dra   reward
    """
    from rich.box import Box
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    rule = Box("    \n    \n -  \n    \n    \n    \n    \n    \n", ascii=True)
    grid = Table(box=rule, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    needed = 0
    for column in zip(*cells, strict=True):
        longest = max(map(cell_len, column))
        whole = longest <= SHORT or " " not in "".join(column)
        grid.add_column(Text(column[0]), no_wrap=whole, overflow="fold")
        needed += (longest if whole else SHORT // 2) + len("  ")
    for row in cells[1:]:
        grid.add_row(*map(Text, row))
    width = min(WIDTH, max(NARROW, get_terminal_size((WIDTH, 24)).columns))
    console = Console(width=max(width, needed), file=StringIO(), color_system=None, legacy_windows=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
