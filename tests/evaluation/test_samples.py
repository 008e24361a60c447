from __future__ import annotations

import pytest

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.benchmarks import TEMPLATES, Problem
from dra_grpo.evaluation.samples import Decoding, Sample, SampleFile, all_requests

SAMPLES = [
    Sample("a", 0, "plain", 3, False),
    Sample("a", 1, "line\nbreaks\u2028and é 中 \x00 \x85", 9, True),
    Sample("b", 0, "", 1, False),
]


@pytest.fixture
def file(tmp_path):
    return tmp_path / "samples" / "task.jsonl"


def test_what_was_written_is_read_back(file):
    written = SampleFile(file)
    written.append(SAMPLES[:2], seconds=3.0, devices=4)
    written.append(SAMPLES[2:], seconds=1.0, devices=0)
    read = SampleFile(file)
    assert read.samples == written.samples == {(sample.id, sample.number): sample for sample in SAMPLES}
    assert (read.seconds, read.device_seconds) == (4.0, 12.0)
    assert len(file.read_bytes().splitlines()) == 3


def test_a_kill_at_any_byte_loses_nothing_but_the_line_it_hit(file):
    SampleFile(file).append(SAMPLES, 1.0, 0)
    whole = file.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole) + 1):
        file.write_bytes(whole[:length])
        read = SampleFile(file)
        kept = sum(end <= length for end in ends)
        assert list(read.samples.values()) == SAMPLES[:kept]
        assert file.read_bytes() == whole[: ([0, *ends])[kept]]
        read.append(SAMPLES[kept:], 1.0, 0) if kept < 3 else None
        assert list(SampleFile(file).samples.values()) == SAMPLES


def test_lone_surrogates_do_not_stop_a_run(file):
    SampleFile(file).append([Sample("a", 0, "half \ud83d of a pair", 1, False)], 1.0, 0)
    assert SampleFile(file).samples["a", 0].completion.startswith("half ")


@pytest.mark.parametrize(
    "line, said",
    [
        ("junk", "is no JSON"),
        ("[]", "expected a JSON object"),
        ('{"id": "a", "number": 0, "seconds": 1, "device_seconds": 0}', "is no sample .*completion.*; remove that"),
    ],
)
def test_a_broken_line_in_the_middle_is_named(file, line, said):
    SampleFile(file).append(SAMPLES[:1], 1.0, 0)
    file.write_text(f"{line}\n{file.read_text()}")
    with pytest.raises(UsageError, match=rf"task.jsonl, line 1:? {said}"):
        SampleFile(file)


PROBLEMS = [Problem(str(i), "x" * length) for i, length in enumerate([3, 9, 1, 7, 5])]
PLAIN = TEMPLATES["plain"]


def test_requests_are_every_sample_once_round_by_round():
    requests = all_requests(PROBLEMS, PLAIN, 3, seed=0, task="t")
    assert len({(request.id, request.number) for request in requests}) == 15
    assert [request.number for request in requests] == [0] * 5 + [1] * 5 + [2] * 5
    lengths = [len(request.prompt) for request in requests]
    assert lengths == [9, 7, 5, 3, 1, 1, 3, 5, 7, 9, 9, 7, 5, 3, 1]
    assert all_requests(PROBLEMS, PLAIN, 5, 0, "t")[:15] == requests


@pytest.mark.parametrize(
    "values", [(-0.1, 1.0, 8), (1.0, 0.0, 8), (1.0, 1.1, 8), (1.0, 1.0, 0), (float("inf"), 1.0, 8)]
)
def test_decoding_out_of_range(values):
    with pytest.raises(UsageError, match="expected a temperature of at least 0"):
        Decoding(*values)
