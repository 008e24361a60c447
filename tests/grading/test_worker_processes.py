"""The grader in processes as people run them: scripts, threads, signals, forks, and parents that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

GRADE = r"""
from dra_grpo.rewards import AccuracyReward
reward = AccuracyReward(workers=2, seconds=0.5)
right, wrong, tower = r"\boxed{2\sqrt2}", r"\boxed{3\sqrt2}", r"\boxed{9^{9^{9^9}}}"
gold = r"\sqrt8"
"""


def finished(process: subprocess.Popen[str], seconds: float = 90) -> str:
    output, errors = process.communicate(timeout=seconds)
    assert process.returncode == 0, errors
    return output


def test_a_script_without_a_main_guard(script, gone):
    process = script(GRADE + "print(reward([right, wrong], [gold] * 2), reward.grader.pool.pids)")
    scores, _, pids = finished(process).partition("] ")
    assert scores == "[1.0, 0.0"
    assert gone(json.loads(pids))


def test_threads_at_once_and_threads_that_end(script):
    process = script(
        GRADE
        + """
import threading
from collections import Counter
results = Counter()
def grade(number):
    for step in range(5):
        found = reward([right, wrong, rf"\\boxed{{2\\sqrt2 + 0 \\cdot {number} {step}}}"], [gold] * 3)
        results[tuple(found)] += 1
for wave in range(2):  # the second wave uses workers that threads of the first have started
    threads = [threading.Thread(target=grade, args=(number,)) for number in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print(dict(results), len(reward.grader.pool.pids) <= 2, sum(reward.counts.values()))
"""
    )
    assert finished(process).strip() == "{(1.0, 0.0, 1.0): 40} True 120"


def test_an_outer_alarm_fires_on_time_and_stays_the_callers(script):
    process = script(
        GRADE
        + """
import signal, time
reward([right], [gold])
fired = []
handler = lambda *_: fired.append(time.monotonic())
signal.signal(signal.SIGALRM, handler)
start = time.monotonic()
signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
print(reward([tower, right], [gold] * 2))
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(fired) >= 2 and fired[0] - start < 1, signal.getsignal(signal.SIGALRM) is handler)
"""
    )
    assert finished(process).split("\n") == ["[0.0, 1.0]", "True True", ""]


@pytest.mark.parametrize("at_work", [False, True], ids=["idle", "at-work"])
def test_nothing_is_left_after_kill_9(script, gone, at_work: bool):
    process = script(
        GRADE
        + f"""
import time
reward = AccuracyReward(workers=2, seconds=0.7)
reward([right, r"\\boxed{{x}}"], [gold, "x+1"])
print(reward.grader.pool.pids, flush=True)
{"reward([tower] * 8, [f'x + {number}' for number in range(8)])" if at_work else "time.sleep(60)"}
"""
    )
    pids = json.loads(process.stdout.readline())
    assert len(pids) == 2
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert gone(pids)


def test_a_forked_child_has_workers_of_its_own_and_holds_none_of_its_parents(script, gone):
    process = script(
        GRADE
        + """
import os, time
reward([right], [gold])
mine = reward.grader.pool.pids
child = os.fork()
if child == 0:
    assert reward.grader.pool.pids == []
    assert reward([r"\\boxed{\\sqrt{2}+\\sqrt{2}}"], [gold]) == [1.0]
    theirs = reward.grader.pool.pids
    assert theirs and not set(theirs) & set(mine)
    print("child", os.getpid(), theirs, flush=True)
    time.sleep(60)
time.sleep(0.1)
assert reward([r"\\boxed{\\sqrt{2}+\\sqrt{2}+0}"], [gold]) == [1.0]
print("parent", os.getpid(), reward.grader.pool.pids, mine == reward.grader.pool.pids, flush=True)
time.sleep(60)
"""
    )
    lines = dict(process.stdout.readline().split(" ", 1) for _ in range(2))
    child, theirs = lines["child"].split(" ", 1)
    _, mine = lines["parent"].rsplit(" ", 1)[0].split(" ", 1)
    assert lines["parent"].endswith(" True\n")
    process.send_signal(signal.SIGKILL)
    try:
        assert gone(json.loads(mine))  # the child still lives, and keeps no pipe of theirs open
        assert not gone(json.loads(theirs), 0)
    finally:
        os.kill(int(child), signal.SIGKILL)
    assert gone(json.loads(theirs))


def test_interrupting_the_group_reaches_the_parent_alone(script):
    process = script(
        GRADE
        + """
import os, time
reward([right, r"\\boxed{x}"], [gold, "x+1"])
idle = set(reward.grader.pool.pids)
print("ready", flush=True)
try:
    reward = AccuracyReward(workers=2, seconds=5.0)
    reward([tower] * 4, [gold] * 4)
except KeyboardInterrupt:
    print("interrupted", reward.grader.pool.pids)
reward = AccuracyReward(workers=2, seconds=0.5)
print(reward([wrong, r"\\boxed{\\sqrt{2}+\\sqrt{2}}"], [gold] * 2), set(reward.grader.pool.pids) == idle)
"""
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    assert finished(process) == "interrupted []\n[0.0, 1.0] True\n"


SHADOWS = ("sympy", "math_verify", "latex2sympy2_extended", "mpmath", "antlr4", "dra_grpo")


def shadow(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    return folder


def test_files_beside_the_script_and_in_the_working_directory_shadow_nothing(script, tmp_path: Path):
    shadow(tmp_path, *(name for name in SHADOWS if name not in ("dra_grpo", "math_verify")))
    away = shadow(tmp_path / "away", *SHADOWS, "json", "signal", "resource")
    process = script(GRADE + "print(reward([right, wrong], [gold] * 2))", cwd=away)
    assert finished(process).strip() == "[1.0, 0.0]"


def test_python_variables_do_not_reach_the_workers(script, tmp_path: Path):
    wrong = shadow(tmp_path / "wrong", *SHADOWS, "json")
    variables = {
        "PYTHONPATH": str(wrong),
        "PYTHONINSPECT": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONINTMAXSTRDIGITS": "640",
        "PYTHONVERBOSE": "1",
        "PYTHONOPTIMIZE": "2",
        "PYTHONIOENCODING": "utf-16",
        "PYTHONPROFILEIMPORTTIME": "1",
    }
    process = script(
        GRADE + f"import os; os.environ.update({variables!r}); print(reward([right, wrong], [gold] * 2), flush=True)"
    )
    assert finished(process).splitlines()[0] == "[1.0, 0.0]"


def test_signal_settings_of_the_parent_do_not_disarm_the_limit(script):
    process = script(
        GRADE
        + """
import signal, time
signal.signal(signal.SIGPROF, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPROF, signal.SIGINT, signal.SIGTERM})
start = time.monotonic()
print(reward([right, tower, wrong], [gold] * 3), sorted(reward.counts.values()), time.monotonic() - start < 12)
"""
    )
    # By the CPU timer, that is: the clock would take two times 7.5 seconds.
    assert finished(process).strip() == "[1.0, 0.0, 0.0] [1, 2] True"


def test_a_worker_imports_nothing_heavy():
    code = (
        "import sys, dra_grpo.grading.worker as w; before = set(sys.modules); import dra_grpo.grading.algebra;"
        "print([m for m in ('torch', 'numpy', 'transformers', 'trl', 'datasets', 'pandas') if m in sys.modules],"
        "'sympy' in before, 'sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[] False True", done.stderr


def test_a_worker_that_lacks_math_verify_says_so(tmp_path: Path):
    (tmp_path / "math_verify.py").write_text("raise ImportError('no math_verify today')")
    done = subprocess.run(
        [sys.executable, "-m", "dra_grpo.grading.worker", "1", str(1 << 30)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == {"error": "ImportError: no math_verify today"}
