"""Lines of code by folder, without docstrings, comments and blanks: `python benchmarks/code_lines.py [FOLDER]`."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code_lines(text: str) -> int:
    """Lines that hold a token of code; a string that stands alone as a statement is a docstring.

    >>> code_lines('def f():\\n    "A docstring."\\n\\n    return 1  # a comment\\n')
    2
    """
    docstrings = {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in SILENT
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


def main(root: Path) -> None:
    """Print lines and files of each folder below `root`, and of all."""
    lines: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for file in sorted(root.rglob("*.py")):
        folder = file.relative_to(root).parent.as_posix()
        lines[folder] += code_lines(file.read_text(encoding="utf-8"))
        files[folder] += 1
    for folder in sorted(lines):
        print(f"{lines[folder]:6d} lines {files[folder]:4d} files  {folder}")
    print(f"{lines.total():6d} lines {files.total():4d} files  in all")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "src/dra_grpo"))
