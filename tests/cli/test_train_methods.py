"""`dra-grpo train` with every method, every small embedder, and under two processes: short real runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl")

from dra_grpo.cli.main import main
from dra_grpo.methods import METHODS

ROOT = Path(__file__).parents[2]
SHORT = ["--config", str(ROOT / "src/dra_grpo/recipes/countdown.yaml"), "--max_steps", "2", "--save_strategy", "no",
         "--per_device_train_batch_size", "32", "--evaluation_problems", "10",
         "--validation_problems", "10"]  # fmt: skip

pytestmark = pytest.mark.slow


def logged(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def trained(out):
    lines = [line for line in logged(out) if "reward" in line]
    assert [line["step"] for line in lines] == [1, 2]
    assert all(line["grad_norm"] > 0 for line in lines)
    assert set(json.loads((out / "eval.json").read_text())) >= {"base", "trained", "difference"}
    return lines


CHOICES = [["--method", method] for method in METHODS] + [["--embedder", "policy"], ["--embedder", "minilm"]]
CHOICES += [["--method", "darling", "--method_options.clusters", "text"]]


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_every_method_and_small_embedder_trains(tmp_path, choice):
    assert main(["train", *SHORT, *choice, "--output_dir", str(tmp_path / "run")]) == 0
    lines = trained(tmp_path / "run")
    assert "--method" in choice or all(0 < line["dra/smi"] < 7 for line in lines)
    assert (tmp_path / "run" / "report.html").exists()


def test_two_processes_write_one_run_and_go_on_from_one_checkpoint(tmp_path):
    """The second process's random state is missing in the last one, as a kill between the two writes leaves it."""
    out = tmp_path / "run"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--rdzv_backend", "c10d",
                "--rdzv_endpoint", "localhost:0", "-m", "dra_grpo", "train", *SHORT, "--save_strategy", "steps",
                "--save_steps", "1", "--eval_steps", "1", "--load_best_model_at_end",
                "--per_device_train_batch_size", "12", "--output_dir", str(out)]  # fmt: skip

    def run(*more):
        quiet = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run([*launcher, *more], capture_output=True, text=True, timeout=240, cwd=ROOT, env=quiet)
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    finished = run()
    lines, evaluation = trained(out), (out / "eval.json").read_text()
    curve = [(line["step"], line["eval_mean"]) for line in logged(out) if "eval_mean" in line]
    assert [step for step, _ in curve] == [0, 1, 2]
    assert json.loads(evaluation)["best"]["value"] == max(mean for _, mean in curve[1:])
    assert json.loads((out / "environment.json").read_text())["processes"] == 2
    groups = [json.loads(line) for line in (out / "samples.jsonl").read_text().splitlines()]
    assert all(len(group["completions"]) == 8 for group in groups)
    assert finished.stdout.count("report:") == 1
    (out / "checkpoint-2" / "rng_state_1.pth").unlink()
    resumed = run("--resume")
    assert resumed.stdout.count(f"{out}/checkpoint-2 is passed over: rng_state_1.pth is missing\n") == 1
    assert resumed.stdout.count(f"going on from {out}/checkpoint-1\n") == 1
    assert [line["reward"] for line in trained(out)] == [line["reward"] for line in lines]
    assert [(line["step"], line["eval_mean"]) for line in logged(out) if "eval_mean" in line] == curve
    assert (out / "eval.json").read_text() == evaluation
