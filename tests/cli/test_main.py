"""The command as a person types it: exit codes, one-line errors, no traceback."""

import os
import socket
import subprocess
import sys
from dataclasses import fields
from importlib.metadata import PackageNotFoundError
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from dra_grpo.cli.doctor_command import _hub
from dra_grpo.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def said(capsys, monkeypatch):
    """A function that gives exit code, output and errors of a command in the root of the checkout."""
    monkeypatch.chdir(ROOT)

    def call(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def test_help_lists_every_command():
    finished = subprocess.run([sys.executable, "-m", "dra_grpo"], capture_output=True, text=True, check=True)
    assert all(f"\n  {name} " in finished.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "train"])
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: dra-grpo {command}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("list methds", "invalid choice: 'methds'"),
        ("report nowhere", "nowhere holds no run"),
        ("report", "the following arguments are required"),
        ("report nowhere --again other", "unrecognized arguments: --again other"),
        ("pretrain countdown --ste 5", "unrecognized arguments: --ste 5"),
        ("train --config countdown --model_name_or_path ./no/such/model", "no model folder at './no/such/model'"),
        ("train --config recipes/countdown.yaml --reward_funcs contdown", "did you mean 'countdown'?"),
        ("train --config countdown --embedder ngrma", "did you mean 'ngram'?"),
    ],
)
def test_what_can_be_mended_is_one_line_and_exit_code_2(tmp_path, said, arguments, message):
    more = ["--output_dir", tmp_path / "run"] if "train" in arguments.split() else []
    code, _, errors = said(*arguments.split(), *more)
    assert code == 2
    assert errors.startswith("dra-grpo: error: ")
    assert errors.index("\n") == len(errors) - 1
    assert message in errors


def test_a_missing_extra_is_named(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "from importlib.machinery import PathFinder\n"
        "found = PathFinder.find_spec\n"
        "hidden = ('trl', 'transformers', 'datasets', 'accelerate', 'yaml', 'omegaconf', 'jinja2', 'matplotlib')\n"
        "def find_spec(name, path=None, target=None):\n"
        "    return None if name.partition('.')[0] in hidden else found(name, path, target)\n"
        "PathFinder.find_spec = staticmethod(find_spec)\n"
    )
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "dra/raw_reward": 0.5}\n')
    hidden = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    for arguments, extra in ((["train", "--help"], "trl"), (["report", str(tmp_path)], "report")):
        finished = subprocess.run(
            [sys.executable, "-m", "dra_grpo", *arguments], env=hidden, capture_output=True, text=True, check=False
        )
        assert finished.returncode == 2
        assert f"pip install 'dra-grpo[{extra}]'" in finished.stderr
        assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    ("what", "name"),
    [("methods", "arXiv 2505.09655"), ("embedders", "minilm"), ("tasks", "countdown"), ("rewards", "countdown"),
     ("recipes", "paper/dra-grpo")],
)  # fmt: skip
def test_list(said, what, name):
    code, text, _ = said("list", what)
    assert code == 0
    assert max(map(len, text.splitlines())) <= 100
    assert name in text


def test_the_help_of_train_has_every_setting_the_common_ones_first(said):
    from trl import GRPOConfig, ModelConfig

    from dra_grpo.config import DatasetConfig, DRAConfig, RunConfig
    from dra_grpo.training.fields import TABLES

    lines = said("train", "--help")[1].splitlines()
    assert lines[0].startswith("usage: dra-grpo train")
    assert max(map(len, lines)) <= 100
    shown = [line.split()[0].removeprefix("--") for line in lines if line.startswith("  --")]
    kinds = (RunConfig, DRAConfig, DatasetConfig, ModelConfig, GRPOConfig)
    settable = {f.name for kind in kinds for f in fields(kind) if f.init} - TABLES["unread"].keys()
    assert len(shown) == len(set(shown))
    assert set(shown) == settable
    assert {"method", "learning_rate", "model_name_or_path"} <= set(shown[:28])
    assert "  --learning_rate  float, default 1e-06" in lines
    below = {line.split()[0]: after for line, after in pairwise(lines) if line.startswith("  --")}
    assert all(meaning.startswith("        ") and meaning.strip() for meaning in below.values())


def test_doctor_reads_offline_and_the_hubs_address_as_the_hub_does(monkeypatch):
    for name, value in (("HF_HUB_OFFLINE", "true"), ("TRANSFORMERS_OFFLINE", "1")):
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv(name, value)
        assert _hub().startswith(f"offline by {name}={value}")
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as mirror:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{mirror.getsockname()[1]}")
        assert _hub() == "reachable"


def test_doctor_where_the_package_is_found_by_its_path_alone(said, monkeypatch):
    def requires(name):
        raise PackageNotFoundError(name)

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("dra_grpo.cli.doctor_command.requires", requires)
    code, text, _ = said("doctor")
    assert code == 0
    assert "dra-grpo is not installed" in text


def test_doctor_tells_versions_and_what_is_missing(said, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, text, _ = said("doctor")
    assert code == 0
    assert torch.__version__ in text
    assert "offline by HF_HUB_OFFLINE=1" in text
    assert "\ntrl " in text.partition("extra")[2]


def test_dry_run_prints_the_resolved_run_and_writes_nothing(tmp_path, said):
    flags = ["--method_options.smi", "logdet", "--gradient_accumulation_steps", "2", "--dry-run"]
    code, text, _ = said("train", "--config", "countdown", "--output_dir", tmp_path / "run", *flags)
    assert code == 0
    assert "smi: logdet" in text
    assert "completions a generation step  512" in text
    assert "peak about" in text
    assert max(map(len, text.splitlines())) <= 100
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("arguments", "debug"), [(["--traceback"], "0"), ([], "1")])
def test_traceback_shows_where_an_error_of_one_line_comes_from(said, monkeypatch, arguments, debug):
    monkeypatch.setenv("DRA_GRPO_DEBUG", debug)
    _, _, errors = said("report", "nowhere", *arguments)
    assert "Traceback (most recent call last)" in errors
    assert errors.splitlines()[-1].startswith("dra-grpo: error: nowhere holds no ")
