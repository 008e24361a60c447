"""Rows from files, folders and the Hub: formats, columns, prompts, subsets, and what is refused."""

import csv
import json
import random
import re

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.rewards.accuracy import accuracy_reward
from dra_grpo.tasks.data import dataset_rows, parse_columns, subset
from dra_grpo.tasks.prompts import as_prompt
from dra_grpo.tasks.source import is_local

ASKED = {"role": "user", "content": "1+1?"}
ANSWERED = {"role": "assistant", "content": "2"}
ROWS = [
    {"problem": 'What is "1 + 1",\nin Arabic numerals?', "solution": "$\\boxed{2}$", "answer": "2", "level": "Easy"},
    {"problem": "¿Cuánto es 2 × 3?\u2028", "solution": "\\boxed{6}", "answer": "6", "level": "Hard"},
]


def write(folder, ending, rows=ROWS):
    file = folder / f"problems{ending}"
    if ending == ".jsonl":
        file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n\n" for row in rows), encoding="utf-8-sig")
    elif ending == ".json":
        file.write_text(json.dumps(rows), encoding="utf-8")
    elif ending == ".csv":
        with file.open("w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        parquet = pytest.importorskip("pyarrow.parquet")
        import pyarrow

        parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return str(file)


@pytest.fixture
def file(tmp_path):
    return write(tmp_path, ".jsonl")


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".csv", ".parquet"])
def test_every_format_gives_the_same_rows(tmp_path, ending):
    rows = dataset_rows("train", name=write(tmp_path, ending), columns={"prompt": "problem"}, prompt_format="text")
    assert rows == [{**row, "prompt": row["problem"]} for row in ROWS]


def test_a_json_file_may_be_json_lines_or_one_problem(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"prompt": "1?"}\n{"prompt": "2?"}\n')
    assert [row["prompt"] for row in dataset_rows("train", name=str(file), prompt_format="text")] == ["1?", "2?"]
    file.write_text('{\n"prompt": "1?"\n}')
    assert [row["prompt"] for row in dataset_rows("train", name=str(file), prompt_format="text")] == ["1?"]


def test_a_csv_field_longer_than_pythons_limit(tmp_path):
    (tmp_path / "a.csv").write_text("prompt,solution\n1?," + "2" * 200_000 + "\n")
    assert len(dataset_rows("train", name=str(tmp_path / "a.csv"))[0]["solution"]) == 200_000


def test_a_saved_folder_and_a_downloaded_one(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    options = {"columns": {"prompt": "problem"}, "prompt_format": "text"}
    expected = [{**row, "prompt": row["problem"]} for row in ROWS]
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "saved")
    assert dataset_rows("train", name=str(tmp_path / "saved"), **options) == expected
    datasets.DatasetDict({"hard": datasets.Dataset.from_list(ROWS)}).save_to_disk(tmp_path / "splits")
    assert dataset_rows("hard", name=str(tmp_path / "splits"), **options) == expected
    with pytest.raises(UsageError, match=r"has no split 'had'; did you mean 'hard'\?"):
        dataset_rows("had", name=str(tmp_path / "splits"), **options)
    (tmp_path / "hub/data").mkdir(parents=True)
    write(tmp_path / "hub/data", ".parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    assert dataset_rows("train", name=str(tmp_path / "hub"), **options) == expected
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"empty' cannot be loaded: The directory"):
        dataset_rows("train", name=str(tmp_path / "empty"), **options)


def test_messages_are_kept_and_given_a_system_prompt(tmp_path):
    question = [{"role": "user", "content": "1+1?"}]
    name = write(tmp_path, ".jsonl", [{"prompt": question, "solution": "2", "completions": ["x"], "log_metric": 1}])
    (row,) = dataset_rows("train", name=name, system_prompt="Be brief.")
    assert row == {"prompt": [{"role": "system", "content": "Be brief."}, *question], "solution": "2"}
    assert dataset_rows("train", name=name)[0]["prompt"] == question


SYSTEM = {"role": "system", "content": "Be brief."}
TOOL_RESULT = {"role": "tool", "content": "2"}


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([ASKED, ANSWERED], [ASKED]),
        ([SYSTEM, ASKED, ANSWERED, ANSWERED], [SYSTEM, ASKED]),
        ([ASKED, ANSWERED, ASKED, {"role": "model", "content": "2"}], [ASKED, ANSWERED, ASKED]),
        ([ASKED, ANSWERED, TOOL_RESULT], [ASKED, ANSWERED, TOOL_RESULT]),
    ],
    ids=["one", "two, after a system prompt", "the last of a dialogue", "a tool's result is none"],
)
def test_the_answer_at_the_end_of_messages_is_cut_and_counted(tmp_path, caplog, monkeypatch, messages, prompt):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"messages": each}) + "\n" for each in ([ASKED], messages, messages)))
    rows = dataset_rows("train", name=str(file), columns={"prompt": "messages"})
    assert [row["prompt"] for row in rows] == [[ASKED], prompt, prompt]
    assert rows[1]["messages"] == messages  # as a column of its own it stays
    said = [] if prompt == messages else ["2 of 3 prompts ended with the assistant's answer, which was cut off"]
    assert caplog.messages == said
    monkeypatch.setenv("RANK", "1")
    dataset_rows("train", name=str(file), columns={"prompt": "messages"})
    assert caplog.messages == said


def test_verls_layout(tmp_path):
    """Messages, and the answer inside a mapping: from Parquet, as verl reads it."""
    about = {"style": "rule", "ground_truth": ["12"]}
    rows = [{"prompt": [ASKED], "reward_model": about, "extra_info": {"split": {"index": 7}}}] * 2
    columns = {"solution": "reward_model.ground_truth", "index": "extra_info.split.index"}
    row, _ = dataset_rows("train", name=write(tmp_path, ".parquet", rows), columns=columns)
    assert (row["prompt"], row["solution"], row["index"]) == ([ASKED], ["12"], 7)
    assert accuracy_reward([r"\boxed{12}", r"\boxed{13}"], solution=[row["solution"]] * 2) == [1.0, 0.0]


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("reward_model.ground_trut", "in 'reward_model': did you mean 'ground_truth'"),
        ("reward_modl.ground_truth", "did you mean 'reward_model'"),
        ("reward_model.style.deeper", "in 'reward_model': known: ground_truth, style$"),
        (".", "known: prompt, reward_model, a.b, a$"),
    ],
)
def test_dotted_columns_that_are_not_there(tmp_path, column, hint):
    row = {"prompt": "1?", "reward_model": {"ground_truth": "1", "style": "rule"}, "a.b": "2", "a": None}
    name = write(tmp_path, ".jsonl", [row])
    with pytest.raises(UsageError, match=f"row 1 has no column {re.escape(repr(column))} .columns: solution.; {hint}"):
        dataset_rows("train", name=name, columns={"solution": column})
    assert dataset_rows("train", name=name, columns={"solution": "a.b"})[0]["solution"] == "2"


def test_texts_stay_as_they_are_written(tmp_path):
    """No loader guesses that an answer is a date, a number or nothing at all."""
    answers = ["2024-01-01", "007", "None", "NA", "1e5", "true", "1,000"]
    for ending in (".jsonl", ".json", ".csv", ".parquet"):
        name = write(tmp_path, ending, [{"prompt": "?", "solution": answer} for answer in answers])
        assert [row["solution"] for row in dataset_rows("train", name=name)] == answers


@pytest.mark.parametrize(
    ("problem", "system", "form", "message"),
    [
        ("  ", None, "chat", "the prompt is empty"),
        (3, None, "chat", "the prompt is 3; expected a text, or chat messages"),
        (["?"], None, "chat", "expected a text, or chat messages with role and content"),
        ([{"role": "user", "content": "?"}], None, "text", "use prompt_format 'chat'"),
        ([{"role": "system", "content": "!"}], None, "chat", "expected one of the user before any answer"),
        ([{"role": "system", "content": "!"}, ASKED], "Be brief.", "chat", "has a system message of its own"),
    ],
)
def test_prompts_that_are_none(problem, system, form, message):
    with pytest.raises(UsageError, match=message):
        as_prompt(problem, system, form)


def test_a_subset_is_stable_nested_and_blind_to_order():
    prompts = [f"problem {n}" for n in range(300)]
    chosen = [prompts[place] for place in subset(prompts, 100)]
    assert chosen == sorted(chosen, key=prompts.index)
    assert len(set(chosen)) == 100
    assert {prompts[place] for place in subset(prompts, 20)} <= set(chosen)
    shuffled = random.Random(0).sample(prompts, len(prompts))
    assert {shuffled[place] for place in subset(shuffled, 100)} == set(chosen)
    other = {prompts[place] for place in subset(prompts, 100, seed=1)}
    assert 15 < len(other & set(chosen)) < 55  # a third of a hundred by chance
    assert subset(["same"] * 5, 2) == [0, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"has no column 'prompt', only: problem, solution, answer, level; set --columns prompt=COLUMN$"),
        ({"columns": {"prompt": "problm"}}, r"row 1 has no column 'problm' .*; did you mean 'problem'\?$"),
        ({"columns": {"prompt": "problem"}, "count": 3}, "subset is 3, but .* has 2 problems"),
        ({"config": "main"}, "is one file; leave dataset_config and"),
        ({"split": "test"}, "is one file; leave dataset_config and dataset_train_split out"),
    ],
)
def test_what_does_not_fit_the_file(file, options, message):
    options = {"split": "train", **options}
    with pytest.raises(UsageError, match=message) as caught:
        dataset_rows(options.pop("split"), name=file, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", "", "has no rows"),
        ("a.jsonl", '{"prompt": "x"}\n{"prompt"\n', r"a.jsonl cannot be read: Expecting .* line 3"),
        ("a.jsonl", '{"prompt": "x"}\n[1]\n', "row 2: expected an object, one problem; got int"),
        ("a.jsonl", '{"prompt": "x"}\n{"prompt": null}\n', "row 2: the prompt is empty"),
        ("a.jsonl", json.dumps({"prompt": [ANSWERED]}), "row 1: the messages ask nothing; expected one of the user"),
        ("a.json", "3", "expected an object"),
        ("a.csv", "prompt,solution\nx\n", "header"),
        ("a.parquet", "PAR1", "cannot be read: .*Parquet"),
        ("a.txt", "x", "expected"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        dataset_rows("train", name=str(tmp_path / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.jsonl", "./nowhere", "/no/where", "a/b/c", "two words", "~/nowhere-at-all"])
def test_what_can_only_be_a_path_is_not_asked_of_the_hub(name):
    assert is_local(name)
    with pytest.raises(UsageError, match="no file or folder at"):
        dataset_rows("train", name=name)


def test_a_column_that_the_first_row_lacks_is_there(tmp_path):
    file = tmp_path / "late.jsonl"
    file.write_text('{"prompt": "a"}\n{"prompt": "b", "solution": "2"}\n')
    assert [row["solution"] for row in dataset_rows("train", name=str(file))] == [None, "2"]


@pytest.mark.parametrize(
    ("text", "roles", "message"),
    [
        ("question", (), r"^columns has 'question'; expected ROLE=COLUMN, such as prompt=question,solution=answer$"),
        ("", (), "^columns has ''; expected ROLE=COLUMN"),
        ("prompt=a,", (), "^columns has ''; expected"),
        ("xyz=a", ("prompt", "solution"), "^columns has no role 'xyz'; known: prompt, solution$"),
    ],
)
def test_columns_that_cannot_be_read(text, roles, message):
    with pytest.raises(UsageError, match=message):
        parse_columns(text, roles)


def test_columns_with_spaces_and_an_equals_sign():
    assert parse_columns(" prompt = a b , solution=c=d") == {"prompt": "a b", "solution": "c=d"}
