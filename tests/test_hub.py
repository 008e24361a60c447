"""Names that are nowhere are one line at once. In processes of their own: huggingface_hub reads settings on import."""

import os
import subprocess
import sys

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.hub import check_hub, model_folder

OUT_OF_REACH = [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}]


def said(code: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"try:\n    {code}\nexcept ValueError as error:\n    print(error)"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("environment", OUT_OF_REACH, ids=str)
@pytest.mark.parametrize(
    "code, message",
    [
        (
            "from dra_grpo.embedders import EMBEDDERS; EMBEDDERS['sentence-transformer']('bare-name')",
            "model 'sentence-transformers/bare-name' is not in the local cache and the Hub cannot be reached; "
            "go online once, or pass a local folder, or choose --embedder minilm or --embedder ngram, "
            "which download nothing\n",
        ),
        (
            "from dra_grpo.tasks.source import read_rows; read_rows('nobody/nothing')",
            "dataset 'nobody/nothing' is not in the local cache and the Hub cannot be reached; "
            "go online once, or name a local .jsonl, .json, .csv or .parquet file or a folder with --dataset_name\n",
        ),
    ],
    ids=["model", "dataset"],
)
def test_the_hub_out_of_reach(tmp_path, environment, code, message):
    assert said(code, environment | {"HF_HOME": str(tmp_path)}) == message


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "~/nowhere", "a/b/c", "C:\\models"])
def test_what_can_only_be_a_path_is_not_asked_of_the_hub(name):
    with pytest.raises(UsageError, match="no model folder at"):
        model_folder(name)


def test_neither_a_path_nor_a_name():
    with pytest.raises(UsageError, match="'not a name!!' is neither a path nor a Hub name"):
        check_hub("not a name!!", "model", "wait")


def test_a_folder_is_there(tmp_path):
    assert model_folder(str(tmp_path)) == str(tmp_path)
    assert model_folder("owner/name") is None
