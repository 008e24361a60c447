"""The interface: needs and options by name before training, presets, other packages' methods, the docs' table."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dra_grpo import METHODS, Adjusted, Rollouts, adjust_rewards
from dra_grpo.errors import UsageError
from dra_grpo.methods import Method, check_needs

ROOT = Path(__file__).parents[2]
BARE = Rollouts(torch.ones(2), torch.zeros(2).long())


def test_what_is_missing_is_named_before_training_and_at_the_call(every):
    needed = METHODS[every].needs()
    check_needs(METHODS[every], needed)
    if not needed:
        METHODS[every](BARE)
        return
    message = f"method '{every}' needs {' and '.join(needed)}, which the rollouts do not carry"
    for ask in (lambda: check_needs(METHODS[every], ["correct"]), lambda: METHODS[every](BARE)):
        with pytest.raises(ValueError) as error:
            ask()
        assert str(error.value) == message


def test_an_unknown_option_is_refused_with_the_near_one(every):
    for ask in (METHODS[every].needs, lambda **options: METHODS[every](BARE, **options)):
        with pytest.raises(ValueError, match=f"method '{every}' has no option 'smii'; (did you mean 'smi'|it has: )"):
            ask(smii=1)


def test_k_beyond_the_group_is_refused_before_training():
    check_needs(METHODS["pass_at_k"], [], group_size=5)
    with pytest.raises(
        ValueError, match="method 'pkpo' with k=16 needs groups of 16 or more; got 8 completions a prompt"
    ):
        check_needs(METHODS["pkpo"], [], group_size=8, k=16)
    with pytest.raises(ValueError, match="method 'pass_at_k' with k=4 needs groups of 5 or more; got 2"):
        check_needs(METHODS["pass_at_k"], [], group_size=2)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(
    "name, options", [("pass_at_k", {}), ("pkpo", {}), ("pkpo", {"baseline": "loo"}), ("pkpo-loo", {})], ids=str
)
def test_a_group_size_is_refused_if_and_only_if_no_group_of_it_has_an_advantage(name, options, k):
    for size in range(2, 8):
        groups = torch.zeros(size, dtype=torch.long)
        found = [METHODS[name](Rollouts((torch.arange(size) < c).float(), groups), k=k, **options).advantages
                 for c in range(size + 1)]  # fmt: skip
        if any(advantages.any() for advantages in found):
            check_needs(METHODS[name], [], size, k=k, **options)
        else:
            with pytest.raises(ValueError, match=f"with k={k} needs groups of .* or more; got {size}"):
                check_needs(METHODS[name], [], size, k=k, **options)


def test_a_plain_function_is_no_method():
    with pytest.raises(ValueError, match="a method has name, stage, source and needs"):
        check_needs(lambda rollouts: rollouts, [])


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
        scaled = name in ("dra-signed", "dra-blend", "uniqueness")
        assert ("scale" in method.options) == ("eps" in method.options) == scaled


def test_a_method_object_in_place_of_a_name():
    halved = Method(
        "halved",
        lambda rollouts: Adjusted.from_weights(
            rollouts, torch.full_like(rollouts.rewards, 0.5), torch.zeros_like(rollouts.rewards)
        ),
        "reward",
        (),
        "nowhere",
    )
    assert adjust_rewards(torch.ones(3), None, method=halved).rewards.tolist() == [0.5, 0.5, 0.5]


def test_a_wrong_name_is_answered_with_the_near_one():
    with pytest.raises(ValueError, match="unknown method 'darlin'; did you mean 'darling'"):
        adjust_rewards(torch.ones(2), None, method="darlin")


@pytest.mark.parametrize(
    ("rewards", "embeddings", "more", "message"),
    [
        ((2, 3), (2, 3, 0), {}, "at least one feature"),
        ((4,), (3, 2), {}, r"embeddings must be rewards' shape \(4,\) with a last dimension D; got \(3, 2\)"),
        ((4,), (4, 2), {"correct": torch.ones(3)}, r"correct must be shaped like rewards, \(4,\); got \(3,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_a_person_s_to_mend(rewards, embeddings, more, message):
    with pytest.raises(UsageError, match=message):
        adjust_rewards(torch.ones(rewards), torch.ones(embeddings), **more)


def test_texts_of_groups_must_be_shaped_like_the_rewards():
    with pytest.raises(ValueError, match=r"shaped like rewards, \(2, 2\); got lists of other lengths"):
        adjust_rewards(torch.ones(2, 2), None, method="darling", clusters="text", texts=[["a", "b"], ["c"]])


def test_a_method_from_another_installed_package(tmp_path):
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
    (info / "entry_points.txt").write_text("[dra_grpo.methods]\nten-fold = tenfold:method\n")
    code = (
        "import torch, dra_grpo\n"
        "from dra_grpo import METHODS, adjust_rewards\n"
        "assert 'ten-fold' in METHODS.names() and 'ten-fold' not in METHODS\n"
        "assert METHODS['ten_fold'].summary == 'R̃ = 10·R.'\n"
        "print(adjust_rewards(torch.ones(2), None, method='ten-fold', factor=3.0).rewards.tolist())\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "[3.0, 3.0]\n", ran.stderr


def test_the_docs_list_every_method_as_it_is(every):
    table = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| `{every}` |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1] == METHODS[every].stage
    assert cells[2] == (", ".join(METHODS[every].needs()) or "–")
    assert METHODS[every].source.removeprefix("arXiv ") in row
