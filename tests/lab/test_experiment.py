import numpy as np
import pytest

from dra_grpo.errors import UsageError
from dra_grpo.files import append_json_lines
from dra_grpo.lab.experiment import FIGURES, Arm, Experiment, Place, Read, crossed, paired, read_arm
from dra_grpo.lab.outcome import report
from dra_grpo.lab.runs import Run

SETS = ("validation[:4]", "validation[4:8]")


def entry(greedy: str, correct: list[float], temperature: float = 0.8) -> dict:
    return {
        "temperature": temperature,
        "one_rule": {"distinct": 2.0},
        "at_1": {"pass@1": 0.5, "pass@16": 0.9},
        "temperatures": {"0.0": [0.5, 0.5], "1.0": [0.5, 0.9]},
        "sunk": 3,
        "greedy": greedy,
        "correct": [round(10_000 * p) for p in correct],
    }


def line(run: Run, **policies: dict) -> dict:
    return {"key": run.key, "policies": {name: dict.fromkeys(SETS, found) for name, found in policies.items()}}


def test_an_arm_is_read_from_the_ledger_by_the_rule():
    arm = Arm("GRPO", {"method": "none"})
    runs = [Run(arm.settings, 0, seed) for seed in range(3)]
    done = {runs[s].key: line(runs[s], final=entry("1010", [0.1, 0.2, 0.3, 0.0])) for s in (0, 2)}
    found = read_arm(arm, runs, done, SETS[1])
    assert found is not None
    assert found.runs == [(0, 0), (0, 2)]
    expected = [1, 1 - 0.8**15, 1, 0]
    assert found.values["pass@16"][0].tolist() == pytest.approx(expected)
    per_k = [np.mean([1, 1 - 0.8 ** (k - 1), 1, 0]) for k in (1, 2, 4, 8, 16)]
    assert found.values["mean"].mean() == pytest.approx(np.mean(per_k))
    assert read_arm(arm, runs, {}, SETS[1]) is None


def test_the_best_checkpoint_is_the_last_where_it_has_no_entry_of_its_own():
    early, last = entry("1000", [0.0] * 4), entry("0000", [0.0] * 4)
    run = Run({"method": "none"})
    best = Arm("early", {"method": "none"}, "best")
    assert best.policy_of(line(run, final=last)) == dict.fromkeys(SETS, last)
    assert best.policy_of(line(run, final=last, best=early)) == dict.fromkeys(SETS, early)


def test_differences_are_taken_run_by_run():
    """Runs that one arm lacks are left out; a base policy stands against all seeds trained from it."""
    ours, theirs, base = Arm("a", {"method": "dra"}), Arm("b", {"method": "none"}), Arm("base", None)
    done = {}
    for seed, greedy in enumerate(("1100", "1110", "1111")):
        run = Run(ours.settings, 1, seed)
        done[run.key] = line(run, final=entry(greedy, [0.0] * 4))
    for seed, greedy in ((2, "0000"), (1, "1000")):
        run = Run(theirs.settings, 1, seed)
        done[run.key] = line(run, final=entry(greedy, [0.0] * 4))
    done["base-1"] = line(Run(None, 1), base=entry("0100", [0.0] * 4))
    runs = {arm.name: Experiment("", "", (arm,)).runs(3, (0, 1)) for arm in (ours, theirs, base)}
    reads = {arm.name: read_arm(arm, runs[arm.name], done, SETS[1]) for arm in (ours, theirs, base)}
    (from_b,), (from_base,) = paired(reads["a"], reads["b"]), paired(reads["a"], reads["base"])
    assert from_b["greedy"].tolist() == [[0, 1, 1, 0], [1, 1, 1, 1]]
    assert from_base["greedy"].sum(1).tolist() == [1, 2, 3]
    assert from_base["sunk"].tolist() == [[0], [0], [0]]
    both = paired(reads["a"], reads["base"], reads["b"])
    assert [each["greedy"].sum(1).tolist() for each in both] == [[2, 3], [2, 4]]
    assert paired(reads["b"], Read(reads["b"].values, [], [(7, 0), (7, 1)], True)) == []


def test_the_interval_covers_the_truth_over_runs_and_sets_of_numbers():
    """400 worlds: 6 runs with an effect each, 40 sets of 2 problems with an effect each, noise; the mean is .3."""
    rng, covered = np.random.default_rng(0), 0
    sets = [place // 2 for place in range(80)]
    for _ in range(400):
        values = 0.3 + 0.02 * rng.normal(size=(6, 1)) + 0.1 * rng.normal(size=(1, 40)).repeat(2, axis=1)
        found = crossed(values + 0.1 * rng.normal(size=(6, 80)), sets)
        covered += found.low <= 0.3 <= found.high
    assert 0.93 <= covered / 400 <= 0.995


def test_one_run_or_one_number_a_run_leave_a_part_out():
    values = np.array([[0.0, 1.0, 1.0, 0.0]])
    assert crossed(values, list("abcd")).stderr == pytest.approx(np.std(values, ddof=1) / 2)
    assert crossed(np.array([[1.0], [3.0]]), []).stderr == pytest.approx(1.0)
    assert np.isnan(crossed(np.array([[1.0]]), []).low)
    wide, narrow = crossed(values, list("abcd")), crossed(values, list("abcd"), confidence=0.9)
    assert wide.low < narrow.low < narrow.value


def test_experiments_share_runs_and_a_base_policy_has_one():
    arms = (Arm("base", None), Arm("a", {"method": "none"}), Arm("half", {"method": "none"}, "merge 0.5"))
    runs = Experiment("", "", arms).runs(2, (0, 1))
    assert [(run.settings, run.base, run.seed) for run in runs] == [
        (None, 0, 0),
        ({"method": "none"}, 0, 0),
        (None, 1, 0),
        ({"method": "none"}, 1, 0),
        ({"method": "none"}, 0, 1),
        ({"method": "none"}, 1, 1),
    ]


def test_tables_say_what_there_is(tmp_path):
    arms = (Arm("base", None), Arm("a", {"method": "none"}), Arm("not run", {"method": "dra"}))
    experiment = Experiment("trial", "Why?", arms, against="base", sets=SETS)
    place, run = Place(tmp_path, tmp_path), Run({"method": "none"})
    with pytest.raises(UsageError, match="has no run of 'trial'; `dra-grpo lab run trial`"):
        report(experiment, place, 3, (0,))
    append_json_lines(place.ledger, [line(Run(None), base=entry("0110", [0.5] * 4))])
    append_json_lines(place.ledger, [line(run, final=entry("1111", [1.0] * 4, 1.2))])
    found = report(experiment, place, 3, (0,))
    assert found == (tmp_path / "trial.md").read_text().splitlines()
    header, starts = " | ".join(FIGURES) + " |", [text.split(" [")[0] for text in found if text[:2] == "| "]
    assert starts[::3] == [f"| arm | runs | T* | {header}", "| a | 1 | 1.2 | 1.000", "| a | 0.500"]
    assert starts[4] == f"| arm | {header}"
