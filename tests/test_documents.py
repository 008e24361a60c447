"""Every Python snippet of the documents runs, in order, as a reader would type it; what is pinned twice agrees."""

import doctest
import re
from pathlib import Path

import pytest

pytest.importorskip("trl")

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", [p for p in PAGES if BLOCK.search(p.read_text())], ids=lambda page: page.name)
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    names = {"__name__": "snippet"}
    for number, code in enumerate(BLOCK.findall(page.read_text()), 1):
        if ">>>" in code:
            test = doctest.DocTestParser().get_doctest(code, names, f"{page.name}[{number}]", str(page), 0)
            runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
            runner.run(test, clear_globs=False)
            assert runner.failures == 0
            names.update(test.globs)
        else:
            exec(compile(code, f"{page.name}[{number}]", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_pins_agree():
    makefile = (ROOT / "Makefile").read_text()
    workflow = (ROOT / ".github/workflows/tests.yml").read_text()
    (torch,) = re.findall(r"^TORCH \?= (\S+)", makefile, re.MULTILINE)
    assert f"TORCH: {torch} " in workflow
    (versions,) = re.findall(r"python-version: \[(.*)\]", workflow)
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert re.findall(r"[\d.]+", versions) == classifiers
    (ruff,) = re.findall(r"^ruff==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert f"rev: v{ruff}\n" in (ROOT / ".pre-commit-config.yaml").read_text()


def test_files_that_contributors_are_sent_to_are_there():
    for name in re.findall(r"`([\w./]+/[\w./]*)`", (ROOT / "CONTRIBUTING.md").read_text()):
        assert (ROOT / name).exists() or (ROOT / "src/dra_grpo" / name).exists(), name
