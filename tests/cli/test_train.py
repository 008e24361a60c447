"""`dra-grpo train` for real, with few steps: what it leaves, killing it, going on."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("trl")

from dra_grpo.cli.main import main

ROOT = Path(__file__).parents[2]
FEW = ["--max_steps", "6", "--save_steps", "2", "--per_device_train_batch_size", "16", "--evaluation_problems", "20",
       "--eval_steps", "2", "--validation_problems", "20", "--load_best_model_at_end",
       "--model_init_kwargs", '{"use_cache": true}']  # fmt: skip
TIMES = ("seconds", "time", "runtime", "per_second", "share_of_step")


def command(out, *more):
    return [sys.executable, "-m", "dra_grpo", "train", "--config", "countdown", "--output_dir", str(out),
            "--samples_every", "2", *FEW, *more]  # fmt: skip


def environment(**more):
    return {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **more}


def train(out, *more):
    return subprocess.run(
        command(out, *more), capture_output=True, text=True, timeout=240, cwd=ROOT, env=environment(), check=False
    )


def metrics(out):
    """Every logged line without what a clock says."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if not any(t in k for t in TIMES)} for line in lines]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    finished = train(out)
    assert finished.returncode == 0, finished.stderr[-3000:]
    return out, finished


def test_a_run_leaves_everything(whole):
    out, finished = whole
    assert [line["step"] for line in metrics(out)] == [0, 1, 2, 2, 3, 4, 4, 5, 6, 6]
    evaluation = json.loads((out / "eval.json").read_text())
    for side in ("base", "trained"):
        for figure in ("pass@1", "pass@16", "distinct", "coverage"):
            entry = evaluation[side][figure]
            assert entry["low"] <= entry["value"] <= entry["high"]
            assert f"{entry['value']:.3f} [{entry['low']:.3f}, {entry['high']:.3f}]" in finished.stdout
            entry = evaluation["one_rule"][side][{"coverage": "mean"}.get(figure, figure)]
            assert entry["low"] <= entry["value"] <= entry["high"]
        assert f"{evaluation['one_rule'][side]['mean']['value']:.3f} [" in finished.stdout
        assert list(evaluation["temperatures"][side]) == ["0", "0.2", "0.4", "0.6", "0.8", "1", "1.2", "1.4"]
        assert evaluation["temperatures"][side]["1"] == evaluation[side]
    assert "chosen on 20 validation problems" in finished.stdout
    assert "trained against untrained at its best temperature, " in finished.stdout
    assert max(map(len, finished.stdout.partition("20 test problems")[2].splitlines())) <= 100
    record = json.loads((out / "environment.json").read_text())
    assert record["seed"] == 0
    assert record["versions"]["trl"]
    groups = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert {group["step"] for group in groups} == {1, 2, 4, 6}
    assert all(len(g["completions"]) == len(g["correct"]) == len(g["rewards"]) == 8 for g in groups)
    page = (out / "report.html").read_text()
    assert "<svg" in page
    assert not any(f'{what}="http' in page for what in ("src", "href")), "nothing is fetched when it is opened"
    assert (out / "model.safetensors").exists()
    assert "method: dra" in (out / "config.yaml").read_text()
    assert "train: step 6 of 6, reward 0." in finished.stderr
    assert "\r" not in finished.stderr, "a bar is for a terminal"


def test_the_model_card_says_what_was_trained_from_what(whole):
    out, _ = whole
    card = (out / "README.md").read_text()
    trained = json.loads((out / "eval.json").read_text())["trained"]["pass@1"]
    assert "None" not in card.partition("## Settings")[0]
    assert "Trained from the base policy of task `countdown` on task `countdown`" in card
    assert "method `dra` with its default options" in card
    assert f"{trained['value']:.3f} [{trained['low']:.3f}, {trained['high']:.3f}]" in card


def refused(capsys, out, *flags):
    """The one line with which a run of that folder is refused."""
    assert (
        main(["train", "--config", "countdown", "--output_dir", str(out), "--samples_every", "2", *FEW, *flags]) == 2
    )
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("dra-grpo: error: "))
    return line


def test_a_run_is_not_written_over(whole, capsys):
    out, _ = whole
    before = (out / "metrics.jsonl").read_bytes()
    assert "already holds a run; go on with --resume, start anew with --overwrite" in refused(capsys, out)
    changed = refused(capsys, out, "--resume", "--method", "none")
    assert "was run with other settings (method: 'dra' -> 'none')" in changed
    for mistake in (["--embedder", "ngrm"], ["--evaluation_split", "tset"], ["--model_name_or_path", "docs"]):
        assert repr(mistake[1]) in refused(capsys, out, "--overwrite", *mistake)
    with (out / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = refused(capsys, out, "--resume")
    assert "another run is writing here; wait for it, or choose another --output_dir" in second
    record = (out / "environment.json").read_text()
    (out / "environment.json").write_text(record.replace('"processes": 1', '"processes": 2'))
    fewer = refused(capsys, out, "--resume")
    (out / "environment.json").write_text(record)
    assert "was run with other settings (launched processes: 2 -> 1)" in fewer
    assert (out / "metrics.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(
            ["--use_liger_kernel"],
            "training stopped: You have set `use_liger_kernel`",
            marks=pytest.mark.skipif(find_spec("liger_kernel") is not None, reason="liger-kernel is installed"),
        ),
        (["--eval_steps", "3"], "save_steps is 2 and eval_steps 3, but a best step must be saved; set --save_steps 3"),
        (["--metric_for_best_model", "gredy"], "metric_for_best_model is 'gredy'; did you mean 'greedy'?"),
        (["--model_name_or_path", "docs"], "model 'docs' cannot be loaded: "),
        (["--reward_weights", "1", "2"], "the trainer cannot be built: Number of reward weights (2) must match"),
    ],
)
def test_what_is_not_here_is_said_in_one_line(tmp_path, capsys, flags, message):
    assert f"error: {message}" in refused(capsys, tmp_path / "run", *flags)


@pytest.mark.parametrize("damaged", [None, "optimizer.pt"])
def test_a_run_killed_after_its_last_step(whole, tmp_path, damaged):
    """It takes no other step; where a full disk cut the last checkpoint short, it goes on from the best step's."""
    out = tmp_path / "run"
    shutil.copytree(whole[0], out)
    for lost in ("eval.json", "report.html", "model.safetensors"):
        (out / lost).unlink()
    if damaged:
        file = out / "checkpoint-6" / damaged
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    finished = train(out, "--resume")
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert (f"note: {out}/checkpoint-6 is passed over: {damaged} is damaged" in finished.stdout) is bool(damaged)
    best = json.loads((whole[0] / "eval.json").read_text())["best"]["step"]
    assert f"note: going on from {out}/checkpoint-{best if damaged else 6}\n" in finished.stdout
    assert "missing keys" not in finished.stderr, "tied weights are in the checkpoint under one name"
    assert metrics(out) == metrics(whole[0])
    assert json.loads((out / "eval.json").read_text()) == json.loads((whole[0] / "eval.json").read_text())
    assert (out / "model.safetensors").read_bytes() == (whole[0] / "model.safetensors").read_bytes()


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_run_goes_on_to_the_same_numbers(whole, tmp_path, stop):
    out = tmp_path / "run"
    with subprocess.Popen(
        command(out), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        while not ((out / "metrics.jsonl").exists() and len((out / "metrics.jsonl").read_bytes().splitlines()) >= 3):
            assert running.poll() is None, running.communicate()[1][-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.002)
        running.send_signal(stop)
        printed, _ = running.communicate(timeout=60)
    assert not (out / "checkpoint-6").exists(), "it came to its end before it was stopped"
    if stop == signal.SIGINT:
        assert running.returncode == 130
        assert "go on with the same command and --resume" in printed
        return
    with (out / "metrics.jsonl").open("a") as lines:
        lines.write('{"step": 99, "half a line')
    finished = train(out, "--resume")
    assert finished.returncode == 0, finished.stderr[-3000:]
    assert metrics(out) == metrics(whole[0])
    assert json.loads((out / "eval.json").read_text()) == json.loads((whole[0] / "eval.json").read_text())
    samples = [(directory / "samples.jsonl").read_text() for directory in (out, whole[0])]
    assert samples[0] == samples[1]


def test_curves_change_no_number_of_the_run(whole, tmp_path):
    """No random number is drawn, and nothing is left in another mode."""
    off = ["--eval_strategy", "no", "--load_best_model_at_end", "false"]
    plain = tmp_path / "plain"
    finished = train(plain, *off)
    assert finished.returncode == 0, finished.stderr[-3000:]
    steps = [line for line in metrics(whole[0]) if "reward" in line]
    assert metrics(plain) == steps
