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


def test_no_rows_and_ragged_numbers():
    assert table(["a", "b"], []).splitlines()[0] == "a  b"
    assert table(["a", ""], [[1, None]]).splitlines()[-1] == "1  None"
