"""What importing costs, and who may know whom: core <- methods <- adjuster <- engines <- training <- lab <- cli.

`embedders`, `rewards` and `tasks` know core alone; `evaluation` and `analysis` know those, never an engine. Imports
inside functions, under TYPE_CHECKING, relative ones, lazy `"dra_grpo.part.module:name"` strings and public names taken
from the package itself all count. A new part needs a place in `MAY_KNOW`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import dra_grpo

SOURCE = Path(find_spec("dra_grpo").submodule_search_locations[0])
PUBLIC = dra_grpo._HOME_OF
"""public name -> the module it lives in."""
PLAIN = {"errors", "registry", "files", "server", "hub", "completions", "cost"}
LEAVES = {"core", "embedders", "grading", "rewards", "tasks", *PLAIN}
BELOW_ENGINES = {"methods", "config", "adjuster", *LEAVES}
MAY_KNOW = {
    "errors": set(),
    "registry": {"errors"},
    "files": {"errors"},
    "cost": set(),
    "server": {"errors"},
    "hub": {"errors"},
    "completions": {"errors", "registry"},
    "core": {"errors"},
    "methods": {"core", *PLAIN},
    "embedders": {"core", *PLAIN},
    "grading": PLAIN,
    "rewards": {"core", "grading", "tasks", *PLAIN},  # Countdown's reward asks Countdown's verifier
    "tasks": {"core", *PLAIN},
    "merging": PLAIN,
    "config": {"methods", *LEAVES},
    "adjuster": {"methods", "config", *LEAVES},
    "evaluation": BELOW_ENGINES,
    "analysis": {"evaluation", *BELOW_ENGINES},
    "engines": BELOW_ENGINES,
    "training": {"evaluation", "analysis", "engines", *BELOW_ENGINES},
    "lab": {"evaluation", "analysis", "engines", "training", "merging", *BELOW_ENGINES},
    "cli": {"evaluation", "analysis", "engines", "training", "merging", "lab", *BELOW_ENGINES},
    "recipes": set(),
    "__main__": {"cli"},
}
HEAVY = ["transformers", "trl", "datasets", "accelerate", "sentence_transformers", "matplotlib", "jinja2", "verl"]


def imports(path: Path, package: str) -> Iterator[tuple[int, str, bool]]:
    """Every import in a file of `package` (dotted, the file's own): line, dotted name, whether it runs on import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                targets = [alias.name for alias in node.names]
            case ast.ImportFrom():
                parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                module = ".".join([*parents, *([node.module] if node.module else [])])
                targets = [f"{module}.{alias.name}" for alias in node.names]
            case ast.Constant(value=str(text)) if re.fullmatch(r"dra_grpo(\.\w+)+:\w+", text):
                targets = [text.replace(":", ".")]
            case ast.Call(args=[ast.Constant(value=str(text)), *_]) if "import" in ast.unparse(node.func):
                targets = [text]
            case _:
                continue
        yield from ((node.lineno, target, id(node) not in late) for target in targets)


def part_of(target: str) -> str | None:
    """The part of the package that a dotted name reaches for; None outside the package."""
    root, _, rest = target.partition(".")
    name = rest.partition(".")[0]
    return None if root != "dra_grpo" else part_of(PUBLIC[name]) if name in PUBLIC else name


def violations(root: Path) -> list[str]:
    """Imports of one part by another that may not know it, as `file:line: part imports target`."""
    found = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        part = inside.parts[0].removesuffix(".py")
        for line, target, _ in imports(path, ".".join(["dra_grpo", *inside.parts[:-1]])):
            allowed = {None, part, "__version__", *MAY_KNOW.get(part, set())}
            if part != "__init__" and part_of(target) not in allowed:
                found.append(f"{inside.as_posix()}:{line}: {part} imports {target}")
    return found


def outside(root: Path, part: str, *, late: bool) -> set[str]:
    """Top-level names of the third-party packages that a part imports, when imported or (`late`) at all."""
    files = [root / f"{part}.py"] if (root / f"{part}.py").exists() else (root / part).rglob("*.py")
    found = [target for path in files for _, target, at_once in imports(path, "dra_grpo") if late or at_once]
    return {target.partition(".")[0] for target in found} - set(sys.stdlib_module_names) - {"dra_grpo"}


def loaded_after(statement: str) -> set[str]:
    """Packages in a fresh interpreter after `statement`: top-level names, and our own parts."""
    command = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=120)
    names = [name.split(".") for name in done.stdout.split()]
    return {".".join(name[:2] if name[0] == "dra_grpo" else name[:1]) for name in names}


def test_importing_the_package_loads_nothing_but_the_standard_library():
    loaded = loaded_after("import dra_grpo; dra_grpo.__version__, dir(dra_grpo)")
    assert not loaded & {"torch", "numpy", *HEAVY}


def test_every_public_name_and_the_command_line_load_torch_alone():
    parts = "import dra_grpo.cli.main, dra_grpo.engines, dra_grpo.training, dra_grpo.lab, dra_grpo.analysis"
    loaded = loaded_after(f"from dra_grpo import *; {parts}")
    assert "torch" in loaded
    assert not loaded & set(HEAVY)


def test_core_needs_torch_and_the_root_nothing():
    assert outside(SOURCE, "core", late=True) == {"torch"}
    for part in ("errors", "registry", "config", "__main__"):
        assert outside(SOURCE, part, late=False) == set()


# `engines` and `lab` are not among them: they derive classes from TRL's and Transformers'.
@pytest.mark.parametrize("part", ["methods", "embedders", "rewards", "tasks", "evaluation", "analysis", "cli"])
def test_heavy_packages_are_imported_where_they_are_used(part):
    assert not outside(SOURCE, part, late=False) & set(HEAVY)


def test_imports_go_one_way_and_every_part_has_its_place():
    found = violations(SOURCE)
    assert not found, "\n".join(found)
    parts = {path.stem for path in SOURCE.iterdir() if path.name[0] not in "._"} - {"py", "__init__"}
    assert parts <= MAY_KNOW.keys()


@pytest.fixture
def package(tmp_path):
    """A function that writes a package out of {path: text} and returns its folder."""

    def write(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    "name, text, expected",
    [
        ("core/smi.py", "import dra_grpo.methods\n", "core imports dra_grpo.methods"),
        ("core/smi.py", "def f():\n    from dra_grpo.lab import run\n", "core imports dra_grpo.lab.run"),
        ("core/smi.py", "from dra_grpo import METHODS\n", "core imports dra_grpo.METHODS"),
        ("core/smi.py", "from dra_grpo import cli\n", "core imports dra_grpo.cli"),
        ("tasks/a/b.py", "from ...engines.trl import x\n", "tasks imports dra_grpo.engines.trl.x"),
        ("tasks/a.py", "if TYPE_CHECKING:\n    import dra_grpo.cli.main\n", "tasks imports dra_grpo.cli.main"),
        ("analysis/a.py", "class A:\n    def f(self):\n        import dra_grpo.engines as e\n", "dra_grpo.engines"),
        ("evaluation/a.py", "f = lambda: importlib.import_module('dra_grpo.training.run')\n", "dra_grpo.training.run"),
        ("embedders/a.py", "X = {'a': 'dra_grpo.engines.trl:Trainer'}\n", "imports dra_grpo.engines.trl.Trainer"),
        ("errors.py", "from dra_grpo.registry import Registry\n", "errors imports dra_grpo.registry.Registry"),
        ("novel/a.py", "import dra_grpo.core\n", "novel imports dra_grpo.core"),
    ],
)
def test_a_violation_is_caught(package, name, text, expected):
    (found,) = violations(package({name: text}))
    assert found.startswith(f"{name}:")
    assert expected in found


def test_what_is_allowed_is_not_a_violation(package):
    files = {
        "core/smi.py": '"""Not `dra_grpo.lab`."""\nimport torch\nfrom dra_grpo.core import smi\nfrom . import a\n',
        "methods/dra.py": "from dra_grpo import errors\nfrom dra_grpo.core import Rollouts\nX = 'dra_grpo.lab'\n",
        "cli/main.py": "from dra_grpo import METHODS, __version__\ndef f():\n    import dra_grpo.training.run\n",
    }
    assert violations(package(files)) == []


def test_third_party_imports_are_told_apart(package):
    root = package({"core/a.py": "import torch, os\ndef f():\n    from trl import x\n    import dra_grpo.core\n"})
    assert outside(root, "core", late=False) == {"torch"}
    assert outside(root, "core", late=True) == {"torch", "trl"}
