"""Records survive whatever characters they hold, and a kill in the middle of a line."""

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.files import append_json_lines, json_lines, read_json, write_json, write_json_lines

# Python's text files and `str.splitlines` end lines at some of these; JSON lines do not.
CHARACTERS = "\n \r \r\n \x0b \x0c \x1c \x1d \x1e \x85 \u2028 \u2029 \x00 \ufeff é 🙂"


@pytest.mark.parametrize("write", [append_json_lines, write_json_lines])
def test_lines_come_back_whatever_they_hold_a_lone_surrogate_too(tmp_path, write):
    file = tmp_path / "new folder" / "lines.jsonl"
    records = [{"step": step, "completions": [CHARACTERS, "a\ud800b"]} for step in range(3)]
    write(file, records)
    assert json_lines(file) == records
    append_json_lines(file, [{"step": 3}])
    append_json_lines(file, [])
    assert json_lines(file) == [*records, {"step": 3}]


def test_every_cut_of_a_file_gives_its_whole_lines(tmp_path):
    file = tmp_path / "a.jsonl"
    records = [{"step": 1, "text": "é\u2028"}, {"step": 2, "text": ""}]
    write_json_lines(file, records)
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        assert json_lines(file) == records[: (length >= first) + (length == len(whole))]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    file = tmp_path / "a.json"
    write_json(file, {"n": 1})
    endless: dict = {}
    endless["self"] = endless
    with pytest.raises(ValueError, match="Circular"):
        write_json(file, endless)
    assert read_json(file) == {"n": 1}
    assert read_json(tmp_path / "none.json") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "content, message",
    [("[1]", "expected a JSON object, got list"), ("{", "is no JSON: Expecting property name"), ("", "is no JSON")],
)
def test_what_is_no_object_is_named(tmp_path, content, message):
    file = tmp_path / "a.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_json(file)
    assert str(file) in str(caught.value)
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"step": 1}\n' + content + "\n")
    with pytest.raises(UsageError, match=rf"line 2.*{message.partition(':')[0]}"):
        json_lines(lines)
