"""The command as a person types it: exit codes, one-line errors, no traceback."""

import os
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from dra_grpo.cli.doctor_command import _hub
from dra_grpo.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


def dra_grpo(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "dra_grpo", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_help_lists_every_command_without_loading_any():
    finished = dra_grpo()
    assert finished.returncode == 0
    assert all(name in finished.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    finished = dra_grpo(command, "--help")
    assert finished.returncode == 0
    assert finished.stdout.startswith("usage: dra-grpo " + command)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "unknown command 'trian'; did you mean 'train'?"),
        (["list", "methds"], "invalid choice: 'methds'"),
        (["doctor", "a", "b"], "dra-grpo doctor"),
        (["report", "nowhere"], "nowhere holds no run"),
        (["report"], "the following arguments are required"),
        (["pretrain", "chess"], "invalid choice: 'chess'"),
        (["train", "--config", "nope.yaml"], "'nope.yaml' cannot be read"),
        (
            ["train", "--config", "recipes/countdown.yaml", "--model_name_or_path", "./no/such/model"],
            "no model folder at './no/such/model'",
        ),
        (["train", "--config", "recipes/countdown.yaml", "--reward_funcs", "contdown"], "did you mean 'countdown'?"),
        (["train", "--config", "recipes/countdown.yaml", "--embedder", "ngrma"], "did you mean 'ngram'?"),
        (["train", "--config", "recipes/countdown.yaml", "--task", "countdwn"], "did you mean 'countdown'?"),
    ],
)
def test_what_can_be_mended_is_one_line_and_exit_code_2(tmp_path, arguments, message):
    more = ["--output_dir", str(tmp_path / "run")] if arguments[0] == "train" else []
    finished = dra_grpo(*arguments, *more, HF_HUB_OFFLINE="1", PYTHONWARNINGS="ignore")
    assert finished.returncode == 2
    last = finished.stderr.strip().splitlines()[-1]
    assert last.startswith("dra-grpo: error: ")
    assert message in last
    assert "Traceback" not in finished.stderr


def test_a_missing_extra_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "found = PathFinder.find_spec\n"
        "hidden = ('trl', 'transformers', 'matplotlib')\n"
        "def find_spec(name, path=None, target=None):\n"
        "    return None if name.partition('.')[0] in hidden else found(name, path, target)\n"
        "PathFinder.find_spec = find_spec\n"
    )
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "dra/raw_reward": 0.5}\n')
    hidden = {"PYTHONPATH": str(tmp_path)}
    for arguments, extra in (
        (["train", "--config", "recipes/countdown.yaml"], "trl"),
        (["report", str(tmp_path)], "report"),
    ):
        finished = dra_grpo(*arguments, **hidden)
        assert finished.returncode == 2
        assert f"pip install 'dra-grpo[{extra}]'" in finished.stderr
        assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("what", ["methods", "embedders", "tasks", "rewards", "recipes"])
def test_list(what):
    finished = dra_grpo("list", what)
    assert finished.returncode == 0
    assert max(map(len, finished.stdout.splitlines())) <= 100
    assert {"methods": "arXiv 2505.09655", "embedders": "minilm", "tasks": "countdown", "rewards": "countdown",
            "recipes": "paper/dra-grpo"}[what] in finished.stdout  # fmt: skip


def test_the_help_of_train_has_every_setting_the_common_ones_first():
    from dataclasses import fields

    from trl import GRPOConfig, ModelConfig

    from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
    from dra_grpo.training.fields import UNREAD

    lines = dra_grpo("train", "--help").stdout.splitlines()
    assert max(map(len, lines)) <= 100
    shown = [line.split()[0].removeprefix("--") for line in lines if line.startswith("  --")]
    kinds = (RunConfig, DRAConfig, DatasetConfig, ModelConfig, GRPOConfig)
    settable = {f.name for kind in kinds for f in fields(kind) if f.init} - UNREAD.keys()
    assert len(shown) == len(set(shown))
    assert set(shown) == settable
    assert {"method", "learning_rate", "model_name_or_path"} <= set(shown[:28])
    assert "  --learning_rate  float, default 1e-06" in lines
    below = {line.split()[0]: after for line, after in pairwise(lines) if line.startswith("  --")}
    assert all(meaning.startswith("        ") and meaning.strip() for meaning in below.values())


@pytest.mark.parametrize(("name", "value"), [("HF_HUB_OFFLINE", "true"), ("TRANSFORMERS_OFFLINE", "1")])
def test_doctor_reads_offline_as_the_hub_does(monkeypatch, name, value):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv(name, value)
    assert _hub().startswith(f"offline by {name}={value}")


def test_doctor_asks_the_hub_that_is_set(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as mirror:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{mirror.getsockname()[1]}")
        assert _hub() == "reachable"


def test_doctor_tells_versions_and_what_is_missing():
    import torch

    finished = dra_grpo("doctor", HF_HUB_OFFLINE="1")
    assert finished.returncode == 0
    assert torch.__version__ in finished.stdout
    assert "offline by HF_HUB_OFFLINE=1" in finished.stdout


def test_dry_run_prints_the_resolved_run_and_writes_nothing(tmp_path):
    out = tmp_path / "run"
    finished = dra_grpo(
        "train", "--config", "recipes/countdown.yaml", "--output_dir", str(out), "--dry-run",
        "--method_options.smi", "logdet", "--gradient_accumulation_steps", "2",
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    assert "smi: logdet" in finished.stdout
    assert "completions a generation step  512" in finished.stdout
    assert "peak about" in finished.stdout
    assert max(map(len, finished.stdout.splitlines())) <= 100
    assert not out.exists()


def test_traceback_shows_where_an_error_of_one_line_comes_from():
    for arguments, environment in ((["--traceback"], {}), ([], {"DRA_GRPO_DEBUG": "1"})):
        shown = dra_grpo("report", "nowhere", *arguments, **environment)
        assert shown.returncode == 2
        assert "Traceback (most recent call last)" in shown.stderr
        assert shown.stderr.splitlines()[-1].startswith("dra-grpo: error: nowhere holds no ")
