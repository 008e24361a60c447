"""`dra-grpo init` and the page that begins with it, typed in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dra_grpo.cli.init_command import START, write_random_model, write_start
from dra_grpo.cli.main import main
from dra_grpo.errors import UsageError
from dra_grpo.registry import load_path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own-data.md").read_text()


def shell(command, folder):
    """Run a command where nothing but `dra-grpo` itself leads to the package, as a console script does."""
    script, work = folder / "bin/dra-grpo", folder / "work"
    for made in (script.parent, work):
        made.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m dra_grpo "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(script.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, shell=True, cwd=work, env=variables, capture_output=True, text=True, check=False)


def test_the_page_as_it_is_typed(tmp_path):
    pytest.importorskip("trl")
    blocks = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)).splitlines()
    pip, *commands = blocks
    assert pip == "pip install 'dra-grpo[trl,report]'"
    assert len(commands) == 3
    for command in commands:
        done = shell(command, tmp_path)
        assert done.returncode == 0, (command, done.stderr[-3000:])
    work = tmp_path / "work"
    assert {"problems.jsonl", "my_rewards.py", "run.yaml", "random-model", "runs"} <= {p.name for p in work.iterdir()}
    assert len((work / "runs/own/metrics.jsonl").read_text().splitlines()) == 10
    assert "my_rewards" in (work / "runs/own/config.yaml").read_text()
    assert {"report.html", "samples.jsonl", "model.safetensors"} <= {p.name for p in (work / "runs/own").iterdir()}
    again = shell("dra-grpo init", tmp_path)
    assert again.returncode == 2
    assert again.stderr == (
        "dra-grpo: error: problems.jsonl is there already; nothing was written: name another folder, or move it\n"
    )


@pytest.mark.slow
def test_the_reward_is_found_under_torchrun(tmp_path):
    assert shell("dra-grpo init", tmp_path).returncode == 0
    done = shell(
        "torchrun --nproc_per_node 2 -m dra_grpo train --config run.yaml --max_steps 2 "
        "--per_device_train_batch_size 8", tmp_path
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "work/runs/own/metrics.jsonl").read_text().splitlines()) == 2


def test_the_page_shows_the_files_as_they_are_written(tmp_path):
    write_start(tmp_path, model="some/model")
    (shown,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert (tmp_path / "my_rewards.py").read_text().endswith(shown)
    (line,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    problems = (tmp_path / "problems.jsonl").read_text()
    assert problems.startswith(line)
    assert problems.count("\n") == 10


def test_a_model_of_ones_own_is_named_and_no_random_one_made(tmp_path):
    write_start(tmp_path / "new/folder", model="C:\\my models: #1")
    assert {path.name for path in (tmp_path / "new/folder").iterdir()} == set(START)
    assert yaml.safe_load((tmp_path / "new/folder/run.yaml").read_text())["model_name_or_path"] == "C:\\my models: #1"


def test_nothing_is_written_over_what_is_there(tmp_path, capsys):
    for name in ("run.yaml", "random-model"):
        (tmp_path / name).mkdir()
        with pytest.raises(UsageError, match=f"{name} is there already; nothing was written"):
            write_start(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        (tmp_path / name).rmdir()
    (tmp_path / "file").write_text("")
    assert main(["init", str(tmp_path / "file"), "--model", "m"]) == 2
    assert "file cannot be written: File exists; name another folder" in capsys.readouterr().err


def test_the_random_model_is_a_chat_model_that_reads_every_text(tmp_path):
    transformers = pytest.importorskip("transformers")
    write_random_model(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert len(tokenizer) == model.config.vocab_size == 257
    text = "¿Wie viel? 三つ 🍎\n\ttwo"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    chat = [{"role": "user", "content": "1?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    assert prompt == "user: 1?\nassistant: "


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("def right(:", "own_broken:right", "cannot be loaded (invalid syntax (own_broken.py, line 1)"),
        ("def right(): ...", "own_other.rigth", "module 'own_other' has no attribute 'rigth'"),
        (None, "own_nowhere:right", "No module named 'own_nowhere'"),
    ],
)
def test_a_reward_that_cannot_be_loaded_is_one_line(tmp_path, monkeypatch, text, name, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    if text:
        (tmp_path / f"{re.split('[:.]', name)[0]}.py").write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        load_path(name)
    assert "\n" not in str(caught.value)
