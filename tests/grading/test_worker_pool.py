"""The pool under answers and events that kill, stop, flood or interrupt its workers."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.grading.pool import WorkerPool

TOWER = "9^{9^{9^9}}"


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool(workers=1, seconds=0.3, memory=1 << 30)
    yield pool
    pool.close()


def outcomes(pool: WorkerPool, gold: str, *answers: str) -> list[str]:
    found = pool.run([(gold, answer) for answer in answers])
    return [found[gold, answer] for answer in answers]


def test_a_timeout_costs_one_answer_and_the_rest_go_on(pool: WorkerPool):
    answers = ["1+x", TOWER, "x", f"{TOWER}+1", "x+1"]
    assert outcomes(pool, "x+1", *answers) == ["equal", "timeout", "different", "timeout", "equal"]


def test_a_gold_that_cannot_be_read_in_time_is_no_mathematics(pool: WorkerPool, caplog):
    assert outcomes(pool, "((((((((" * 150 + "5" + "))))))))" * 150, "5") == ["text"]
    assert "timeout while reading it; it is compared as text" in caplog.text


def test_an_idle_worker_that_was_killed_is_replaced(pool: WorkerPool):
    assert outcomes(pool, "x+1", "1+x") == ["equal"]
    (pid,) = pool.pids
    os.kill(pid, signal.SIGKILL)
    assert outcomes(pool, "x+1", "1+x") == ["equal"]
    assert pool.pids != [pid]


def kill_worker_at_work(pool: WorkerPool, times: int) -> threading.Thread:
    """A thread that kills the next `times` workers, each once it has computed for a while."""

    def kill() -> None:
        seen: set[int] = set()
        while len(seen) < times:
            time.sleep(0.05)
            ready = {worker.process.pid for worker in pool.workers if worker.process and worker.ready}
            for pid in ready - seen:
                time.sleep(0.3)
                os.kill(pid, signal.SIGKILL)
                seen.add(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize("times, outcome", [(1, "timeout"), pytest.param(2, "crash", marks=pytest.mark.slow)])
def test_a_kill_from_outside_is_no_verdict_unless_it_happens_twice(times: int, outcome: str):
    pool = WorkerPool(workers=1, seconds=0.6, memory=1 << 30)
    try:
        killer = kill_worker_at_work(pool, times)
        assert outcomes(pool, "x+1", "1+x", TOWER, "1+x") == ["equal", outcome, "equal"]
        killer.join()
    finally:
        pool.close()


@pytest.mark.slow
def test_a_stopped_worker_is_replaced_after_a_while():
    pool = WorkerPool(workers=1, seconds=0.1, memory=1 << 30)
    try:
        assert outcomes(pool, "x+1", "1+x") == ["equal"]
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        assert outcomes(pool, "x+1", "x-x+1+x", "1+x") == ["equal", "equal"]
        assert pool.pids != [pid]
    finally:
        pool.close()


def test_a_megabyte_each_way_does_not_block(pool: WorkerPool):
    assert outcomes(pool, "x" * 1_000_000, "y" * 1_000_000) != ["equal"]
    assert outcomes(pool, "x+1", *[f"x+{2 + number}" for number in range(500)]) == ["different"] * 500


def test_an_interrupted_call_leaves_a_pool_that_works(pool: WorkerPool):
    class Interrupt(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    outcomes(pool, "x+1", "1+x")
    (pid,) = pool.pids
    old = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.15, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        with pytest.raises(Interrupt):
            outcomes(pool, "x+1", *[f"{TOWER}+{number}" for number in range(50)])
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, old)
    assert pid not in pool.pids
    assert outcomes(pool, "x+1", "1+x", "x") == ["equal", "different"]


@pytest.mark.slow
def test_memory_is_bounded():
    pool = WorkerPool(workers=1, seconds=10, memory=1 << 28)
    try:
        assert outcomes(pool, "x+1", "2^{2^{33}}", "1+x") == ["different", "equal"]  # the number has a gigabyte
        (pid,) = pool.pids
        status = dict(line.split(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert int(status["VmPeak"].split()[0]) * 1024 <= 1 << 28
    finally:
        pool.close()


def test_a_worker_that_keeps_half_of_its_memory_leaves_after_its_job():
    pool = WorkerPool(workers=1, seconds=1.0, memory=100 << 20)  # a fresh worker has more than 50 MiB
    try:
        for _ in range(2):
            assert outcomes(pool, "x+1", "1+x", "x") == ["equal", "different"]
            assert pool.pids == []
    finally:
        pool.close()


def test_two_workers_share_the_work_and_stay():
    pool = WorkerPool(workers=2, seconds=1.0, memory=1 << 30)
    try:
        assert outcomes(pool, "x+1", *[f"{number}+x" for number in range(1, 9)]) == ["equal"] + ["different"] * 7
        assert len(pool.pids) == 2
        pids = pool.pids
        pairs = [(f"x+{number}", f"{number}+x") for number in range(20)]
        assert pool.run(pairs) == dict.fromkeys(pairs, "equal")
        assert pool.pids == pids
    finally:
        pool.close()


def test_workers_that_cannot_start_are_an_error_in_one_line():
    pool = WorkerPool(workers=1, seconds=1.0, memory=1 << 24)
    with pytest.raises(UsageError, match=r"^(grading workers died|a grading worker could not start)") as error:
        pool.run([("x+1", "1+x")])
    assert "\n" not in str(error.value)
    assert pool.pids == []
