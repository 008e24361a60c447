"""A plain table for the terminal."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns padded to their widest cell, a rule under the header.

    >>> print(table(["name", "stage"], [["dra", "reward"]]))
    name  stage
    ----  ------
    dra   reward
    """
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    width = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * w for w in width), *lines[1:]])
