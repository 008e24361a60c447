"""A grading worker: `python -m dra_grpo.grading.worker CPU_SECONDS BYTES`; JSON lines until the pipe closes.

    out  {"ready": true}               once
    in   [gold]                        out  {"answer": whether it is mathematics, "retire": ...}
    in   [gold, answer]                out  {"answer": whether they are equal, "retire": ...}

`retire` says whether this worker leaves now, to give back the memory it has taken.

The kernel enforces both limits, so no answer can hold them off: SIGPROF kills the process once an item has used its
CPU time, and an allocation beyond the address space fails, upon which the answer is not equal. SIGALRM is not used.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


def main(arguments: list[str]) -> int:
    """Serve requests from standard input until it closes."""
    seconds, memory = float(arguments[0]), int(arguments[1])
    _confine(memory)
    replies = os.fdopen(os.dup(1), "w", encoding="ascii", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a library's print must not end up between the replies
    try:
        from dra_grpo.grading import algebra  # sympy comes with it, and its memory counts
    except Exception as error:
        _reply(replies, error=f"{type(error).__name__}: {error}")
        return 1
    _reply(replies, ready=True)
    golds: dict[str, list] = {}
    retire = False
    while not retire and (line := sys.stdin.buffer.readline()):
        gold, *answers = json.loads(line)
        if gold not in golds:
            with _limit(seconds):
                golds[gold] = algebra.parse_gold(gold)
        found = bool(golds[gold])
        for answer in answers:
            with _limit(seconds):
                found = algebra.equal(golds[gold], answer)
        retire = _address_space() > memory // 2
        _reply(replies, answer=found, retire=retire)
    return 0


def _confine(memory: int) -> None:
    """Limit the address space; let no signal but the CPU timer's reach this process by way of its parent."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def _address_space() -> int:
    """Bytes of address space in use, which is what the limit counts.

    Not `ru_maxrss`: after vfork and exec Linux starts it at the parent's peak.
    """
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except FileNotFoundError:  # macOS, where ru_maxrss is in bytes and the process's own
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _reply(replies: TextIO, **message: bool | str) -> None:
    replies.write(json.dumps(message) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:  # the parent has gone
        os._exit(0)
