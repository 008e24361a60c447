"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from shutil import get_terminal_size

NARROW, WIDTH = 80, 98
"""Columns that a table takes: as many as the terminal has, within these. A letter with a mark above is one."""
SHORT = 24
"""A column of cells up to so long is never broken."""


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
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[str(cell) for cell in row] for row in rows]
    rule = Box("    \n    \n -  \n    \n    \n    \n    \n    \n", ascii=True)
    grid = Table(box=rule, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(header):
        short = all(len(row[place]) <= SHORT for row in cells)
        grid.add_column(Text(name), no_wrap=short, overflow="fold")
    for row in cells:
        grid.add_row(*map(Text, row))
    width = min(WIDTH, max(NARROW, get_terminal_size((WIDTH, 24)).columns))
    console = Console(width=width, file=StringIO(), color_system=None, legacy_windows=False)
    console.print(grid)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
