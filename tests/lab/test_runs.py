import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.files import append_json_lines
from dra_grpo.lab.runs import Job, Run, ledger, problem_set
from dra_grpo.tasks.countdown import problems


def test_a_key_is_what_changes_the_numbers():
    plain = Run({"method": "none"})
    assert plain.key == Run({"method": "none", "save_steps": 3, "logging_steps": 7}).key
    assert plain.key == Run({"method": "none", "learning_rate": 1.0e-4}).key, "the recipe's own value is no other run"
    others = [
        Run({"method": "none", "learning_rate": 2.0e-4}),
        Run({"method": "none"}, base=1),
        Run({"method": "none"}, seed=1),
        Run({"method": "dra"}),
        Run({"method": "dra", "method_options": {"smi": "logdet"}}),
        Run(None),
        Run(None, base=1),
    ]
    assert len({plain.key, *(other.key for other in others)}) == 1 + len(others)
    job = Job(others[4], ("validation[:3]",), Path("a"), Path("b"))
    assert Job.loads(job.dumps()) == job


def test_problems_are_a_slice_of_a_split():
    assert problem_set("validation[3:5]") == problems("validation", 5)[3:]
    assert problem_set("test[1299:]") == problems("test")[1299:]
    with pytest.raises(UsageError, match=r"set of problems 'test'; expected a slice of a split, such as 'valid"):
        problem_set("test")


def test_a_run_that_was_measured_twice_has_the_sets_of_both(tmp_path):
    run, file = Run({"method": "none"}), tmp_path / "runs.jsonl"
    for sets in ({"validation[:6]": 1, "test[:6]": 2}, {"validation[:6]": 3, "validation[:]": 4}):
        append_json_lines(file, [{"key": run.key, "policies": {"final": sets}}])
    assert ledger(file)[run.key]["policies"]["final"] == {"validation[:6]": 3, "test[:6]": 2, "validation[:]": 4}
    assert Job(run, ("test[:6]", "validation[:]"), file, tmp_path).is_done(ledger(file))
    assert not Job(run, ("test[6:]",), file, tmp_path).is_done(ledger(file))
    assert ledger(tmp_path / "none") == {}


TINY = {"max_steps": 6, "per_device_train_batch_size": 8, "num_generations": 4, "save_steps": 2, "eval_steps": 2}
TRIAL = f"""
from dra_grpo.lab.experiment import Arm, Experiment

GRPO = {{"method": "none", **{TINY}}}
TRIAL = Experiment(
    "trial", "Does it run?", (Arm("base", None), Arm("GRPO", GRPO), Arm("half of it", GRPO, "merge 0.5")),
    against="base", seeds=1, sets=("validation[:6]", "validation[6:14]"),
)
"""


def lab(folder: Path, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dra_grpo", "lab", *arguments], cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_experiment_goes_on_and_does_nothing_twice(tmp_path):
    (tmp_path / "trial.py").write_text(TRIAL)
    run = lab(tmp_path, "run", "trial:TRIAL")
    deadline = time.monotonic() + 300
    key = Run({"method": "none", **TINY}).key
    checkpoint = tmp_path / "runs" / "lab" / key / "run" / "checkpoint-2"
    while not (checkpoint / "trainer_state.json").exists() and time.monotonic() < deadline:
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)  # the command alone: its child has to see it
    run.wait()
    before = ledger(tmp_path / "results" / "lab" / "runs.jsonl")
    assert list(before) == ["base-0"]

    again = lab(tmp_path, "run", "trial:TRIAL")
    printed = again.communicate(timeout=300)[0]
    assert again.returncode == 0, printed
    assert "2 runs, 1 of them done" in printed
    lines = [json.loads(line) for line in (tmp_path / "results/lab/runs.jsonl").read_text().splitlines()]
    assert [line["key"] for line in lines] == ["base-0", key]
    log = (tmp_path / "runs" / "lab" / f"{key}.log").read_text()
    assert log.count("step 2 of 6") == 1, "the second time it went on from step 2"
    assert [point["step"] for point in lines[1]["curve"]] == [0, 2, 4, 6]
    assert list(lines[1]["policies"])[:1] == ["final"]
    assert {"merge 0.3", "merge 0.5", "merge 0.7"} < set(lines[1]["policies"])
    for policy in lines[1]["policies"].values():
        assert [len(entry["greedy"]) for entry in policy.values()] == [6, 8]
        assert [len(entry["correct"]) for entry in policy.values()] == [6, 8]
    table = (tmp_path / "results" / "lab" / "trial.md").read_text()
    assert "| half of it |" in table
    assert "Minus 'base', run by run:" in table
    assert (tmp_path / "results" / "lab" / "trial.svg").stat().st_size > 2000
