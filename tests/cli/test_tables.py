"""Tables that fit."""

import pytest

from dra_grpo.cli.tables import table


@pytest.mark.parametrize(("terminal", "width"), [("300", 98), ("90", 90), ("20", 80)])
def test_a_long_cell_goes_on_below_and_no_word_is_lost(monkeypatch, terminal, width):
    monkeypatch.setenv("COLUMNS", terminal)
    words = [f"word{n}" for n in range(60)]
    text = table(["name", "what it is", "source"], [["[bold]x[/]", " ".join(words), "here"], ["y", "z", ""]])
    assert width - 10 < max(map(len, text.splitlines())) <= width
    assert [word for word in text.split() if word.startswith("word")] == words
    assert text.splitlines()[2].startswith("[bold]x[/]  word0 ")
    assert text.splitlines()[-1].split() == ["y", "z"]
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert text.isascii()


@pytest.mark.parametrize("terminal", ["300", "20"])
def test_no_digit_is_cut_off_where_short_columns_need_more_than_the_width(monkeypatch, terminal):
    monkeypatch.setenv("COLUMNS", terminal)
    cells = [f"{n / 10_000:.4f}" for n in range(30)]
    assert table(["p"] * 30, [cells]).splitlines()[2].split() == cells
    marked = ["０.０００６０００００", "x" * 24, "y" * 24, "z" * 24, "1.0000000006", "long words " * 9]
    lines = table(["a", "b", "c", "d", "e", "what it is"], [marked])
    assert all(cell in lines for cell in marked[:5])
    assert lines.split().count("words") == 9


def test_a_name_is_never_broken(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    rows = [
        ["gradient_accumulation_steps", "{'zero_optimization':...", "None", "a step keeps its completions as before"]
    ]
    lines = table(["setting", "recipe", "here", "why"], rows).splitlines()
    assert lines[2].startswith("gradient_accumulation_steps  {'zero_optimization':...  None  a step")
    assert max(map(len, lines)) <= 80


def test_no_rows_and_ragged_numbers():
    assert table(["a", "b"], []).splitlines()[0] == "a  b"
    assert table(["a", ""], [[1, None]]).splitlines()[-1] == "1  None"
