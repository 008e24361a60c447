"""The interface: needs and options by name before training, presets, other packages' methods, the docs' table."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dra_grpo
from dra_grpo import METHODS, Rollouts, adjust_rewards
from dra_grpo.errors import UsageError

ROOT = Path(__file__).parents[2]
BARE = Rollouts(torch.ones(2), torch.zeros(2).long())


def test_what_is_missing_is_named_before_training_and_at_the_call(every):
    needed = METHODS[every].needs()
    METHODS[every].check(needed)
    if not needed:
        METHODS[every](BARE)
        return
    message = f"method '{every}' needs {' and '.join(needed)}, which the rollouts do not carry"
    for ask in (lambda: METHODS[every].check(["correct"]), lambda: METHODS[every](BARE)):
        with pytest.raises(ValueError) as error:
            ask()
        assert str(error.value) == message


def test_an_unknown_option_is_refused_with_the_near_one(every):
    for ask in (METHODS[every].needs, lambda **options: METHODS[every](BARE, **options)):
        with pytest.raises(
            ValueError, match=f"method '{every}' has no option 'smii'; (did you mean 'smi'|known: .|there is none)"
        ):
            ask(smii=1)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("name, options", [("pass_at_k", {}), ("pkpo", {}), ("pkpo-loo", {})], ids=str)
def test_a_group_size_is_refused_if_and_only_if_no_group_of_it_has_an_advantage(name, options, k):
    for size in range(2, 8):
        groups = torch.zeros(size, dtype=torch.long)
        found = [METHODS[name](Rollouts((torch.arange(size) < c).float(), groups), k=k, **options).advantages
                 for c in range(size + 1)]  # fmt: skip
        if any(advantages.any() for advantages in found):
            METHODS[name].check([], size, k=k, **options)
        else:
            with pytest.raises(ValueError, match=f"with k={k} gives every completion in a group of {size} the"):
                METHODS[name].check([], size, k=k, **options)


@pytest.mark.parametrize(
    "thing", [lambda rollouts: rollouts, object, None, 3], ids=["function", "class", "none", "number"]
)
def test_what_is_no_method_is_refused_with_the_decorator_named(thing):
    with pytest.raises(UsageError, match="expected a name of METHODS or a function with @dra_grpo"):
        adjust_rewards([1.0, 0.0], None, method=thing)
    with pytest.raises(UsageError, match="@dra_grpo"):
        METHODS["mine"] = thing


def test_a_method_of_ones_own_is_a_function_with_a_decorator(rich):
    @dra_grpo.method(needs="logprobs")
    def rare(rollouts, *, beta=0.5):
        """R̃ = R·(1 + β·|log p|)."""
        return rollouts.precise_rewards * (1 + beta * rollouts.logprobs.abs())

    @dra_grpo.method(stage="advantage", name="centred")
    def plain(rollouts):
        return rollouts.rewards - rollouts.index.mean(rollouts.rewards, rollouts.scored)[rollouts.index.group]

    found = adjust_rewards([1.0, 0.0], None, method=rare, logprobs=[-2.0, -1.0], beta=1.0)
    assert found.rewards.tolist() == [3.0, 0.0]
    assert (rare.name, rare.stage, rare.options, rare.needs()) == ("rare", "reward", {"beta": 0.5}, ("logprobs",))
    assert rare.summary == "R̃ = R·(1 + β·|log p|)."
    with pytest.raises(UsageError, match="method 'rare' needs logprobs"):
        adjust_rewards([1.0, 0.0], None, method=rare)
    with pytest.raises(UsageError, match="method 'centred' has no option 'beta'; there is none"):
        adjust_rewards([1.0, 0.0], None, method=plain, beta=1)
    assert adjust_rewards([[1.0, 0.0]], None, method=plain).to_advantages().tolist() == [[0.5, -0.5]]


READS = {
    "dra": {
        **dict.fromkeys(["correct_only=True", "normalize='mean'", "wrong='keep'", "min_spread=0.02"], True),
        **dict.fromkeys(["", "negative='mirror'", "smi='logdet'", "std_floor=0.1"], False),
    },
    "random": {"": True, "match=False": False, "match=False,correct_only=True": True},
    "permuted": {"": False, "among='correct'": True, "correct_only=True": True},
    "length": {"": True, "match=False": False},
    "uniqueness": {"": False, "rows='correct'": True},
    "maxrl": {"": False, "focal=1.0": True, "shares='clusters'": True, "across='pkpo'": True},
}
BY_DEFAULT = {
    **dict.fromkeys(["dra-robust", "dra-signed", "dra-blend", "evol", "pass_at_k", "pkpo", "pkpo-loo"], True),
    **dict.fromkeys(["maxrl-dra", "propensity", "focal", "smooth"], True),
    **dict.fromkeys(["none", "axes", "mmr", "darling", "logdet_marginal", "unlikeliness", "risk_sensitive"], False),
    "permuted-correct": True,
}


@pytest.mark.parametrize(
    "name, options, reads",
    [(name, options, reads) for name, cases in READS.items() for options, reads in cases.items()]
    + [(name, "", reads) for name, reads in BY_DEFAULT.items()],
)
def test_whether_correctness_is_read(name, options, reads):
    assert METHODS[name].reads_correct(**eval(f"dict({options})")) is reads


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("dra", {"clamp": "no"}, "clamp is 'no'; expected true or false"),
        ("dra", {"jitter": True}, "jitter is True; expected a finite number"),
        ("dra", {"jitter": float("nan")}, "jitter is nan; expected a finite number"),
        ("pkpo", {"k": 2.0}, "k is 2.0; expected a whole number"),
        ("pkpo", {"k": -1}, "k is -1; expected a whole number ≥ 0"),
        ("logdet_marginal", {"samples": -1}, "samples is -1; expected a whole number ≥ 0"),
        ("dra", {"smi": ["logdet"]}, r"smi is \['logdet'\]; expected 'graph_cut' or"),
        ("dra", {"smi": "lgdet"}, "smi is 'lgdet'; expected 'graph_cut' or 'logdet' or 'facility_location'"),
        ("mmr", {"lam": "much"}, "lam is 'much'; expected a finite number or None"),
        ("maxrl", {"shares": "even"}, "shares is 'even'; expected 'equal' or 'dra' or 'clusters' or 'propensity'"),
        ("propensity", {"cap": 1.5}, "cap is 1.5; expected a number above 0 and at most 1"),
        ("uniqueness", {"clusters": "no:such"}, "'no:such' cannot be loaded"),
    ],
)
def test_an_option_that_cannot_work_is_refused_before_training(name, options, message):
    with pytest.raises(UsageError, match=message):
        METHODS[name].check(**options)


def test_a_callable_option_passes_the_check():
    METHODS["darling"].check(clusters=str.__eq__)


def test_a_preset_shows_in_the_options_and_can_be_overridden(rich):
    assert METHODS["pkpo-loo"].options == {"k": 4, "baseline": "loo-1"}
    assert METHODS["pkpo-loo"].summary == METHODS["pkpo"].summary + " [baseline='loo-1']"
    rollouts = rich()
    overridden, plain = METHODS["pkpo-loo"](rollouts, baseline=None), METHODS["pkpo"](rollouts)
    assert torch.equal(overridden.advantages, plain.advantages)


def test_passed_on_options_show_with_their_defaults():
    options = METHODS["permuted-correct"].options
    assert {**METHODS["dra"].options, "among": "correct", "seed": 0, "step": 0} == options


def test_engines_find_the_options_they_fill_in():
    for name, method in METHODS.items():
        stepped = name in ("permuted", "permuted-correct", "random", "logdet_marginal")
        assert ("step" in method.options) == ("seed" in method.options) == stepped
        scaled = name in (
            "axes",
            "dra-signed",
            "maxrl",
            "maxrl-dra",
            "propensity",
            "focal",
            "smooth",
            "dra-blend",
            "uniqueness",
        )
        assert ("scale" in method.options) == ("eps" in method.options) == scaled


def test_a_wrong_name_is_answered_with_the_near_one():
    with pytest.raises(ValueError, match="unknown method 'darlin'; did you mean 'darling'"):
        adjust_rewards(torch.ones(2), None, method="darlin")


def test_a_method_from_another_installed_package(tmp_path, monkeypatch):
    (tmp_path / "tenfold.py").write_text(
        "from dra_grpo import Adjusted\n"
        "from dra_grpo.methods import Method\n"
        "def tenfold(rollouts, *, factor=10.0):\n"
        '    """R̃ = 10·R."""\n'
        "    return Adjusted.from_rewards(rollouts, factor * rollouts.precise_rewards)\n"
        "method = Method('ten-fold', tenfold, 'reward', (), 'tenfold')\n"
    )
    info = tmp_path / "tenfold-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tenfold\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dra_grpo.methods]\nten-fold = tenfold:method\nbare = tenfold:tenfold\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert {"ten-fold", "bare"} <= set(METHODS.names())
    assert "ten_fold" in METHODS
    assert METHODS.get("tenfold") is None
    assert METHODS.get("ten_fold") is METHODS["ten-fold"]
    assert METHODS["ten_fold"].summary == "R̃ = 10·R."
    assert adjust_rewards(torch.ones(2), None, method="ten-fold", factor=3.0).rewards.tolist() == [3.0, 3.0]
    with pytest.raises(UsageError, match="@dra_grpo"):
        METHODS["bare"]


def test_the_docs_list_every_method_as_it_is(every):
    table = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| `{every}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == METHODS[every].stage
    assert cells[2] == (", ".join(METHODS[every].needs()) or "–")
    assert METHODS[every].source.removeprefix("arXiv ") in row
