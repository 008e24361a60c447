from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dra_grpo.evaluation.exact import Accepted
from dra_grpo.evaluation.one_rule import (
    KS,
    Reading,
    choose_temperature,
    compared,
    one_rule,
    over_temperatures,
    problems_to_choose_on,
    read,
    verdict,
)
from dra_grpo.tasks.countdown import accepted_texts, problems, solution_key


@pytest.fixture
def accepted():
    """Three problems with made-up probabilities: greedy writes the first, the last and no accepted text."""
    torch.manual_seed(0)
    made = []
    for problem, written in zip(problems("validation", 3), (0, -1, None), strict=True):
        texts = accepted_texts(problem)
        greedy = torch.zeros(len(texts), dtype=torch.float64)
        if written is not None:
            greedy[written] = 1
        others = torch.rand(2, len(texts), dtype=torch.float64).softmax(-1) * torch.tensor([[0.3], [0.6]])
        made.append(Accepted(problem, texts, torch.cat([greedy[None], others]), (0.0, 0.5, 1.0)))
    return made


def test_against_a_simulation_of_the_rule(accepted):
    """The first sample greedy, fifteen drawn: the share of trials with a correct one, and the solutions among them."""
    figures, generator = read(accepted, 1.0), torch.Generator().manual_seed(1)
    for row, one in enumerate(accepted):
        keys = [*map(solution_key, one.texts), None]
        first = one.at(0.0).tolist()
        chances = torch.cat([one.at(1.0), 1 - one.at(1.0).sum(0, keepdim=True)])
        found = []
        for _ in range(4000):
            drawn = [keys[i] for i in torch.multinomial(chances, 15, replacement=True, generator=generator)]
            found.append({keys[first.index(1.0)] if 1.0 in first else None, *drawn} - {None})
        passed = torch.tensor([float(bool(keys)) for keys in found]).mean().item()
        distinct = torch.tensor([float(len(keys)) for keys in found])
        assert figures["pass@16"][row].item() == pytest.approx(passed, abs=0.01)
        assert figures["distinct"][row].item() == pytest.approx(
            distinct.mean().item(), abs=4 * distinct.std().item() / 4000**0.5
        )
        assert figures["coverage"][row] == figures["distinct"][row] / len({*keys} - {None})


def test_the_first_sample_is_greedy_and_the_number_is_the_mean_of_the_curve():
    greedy, correct = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 1.0, 0.1])
    figures = one_rule(greedy, correct)
    assert figures["pass@1"].tolist() == [1, 0, 0]
    assert figures["pass@2"].tolist() == pytest.approx([1, 1, 0.1])
    by_hand = [1 - 0.9 ** (k - 1) for k in KS]
    assert [figures[f"pass@{k}"][2].item() for k in KS] == pytest.approx(by_hand)
    assert figures["mean"][2].item() == pytest.approx(sum(by_hand) / 5)


def test_the_temperature_is_the_one_with_the_best_mean(accepted):
    means = {t: read(accepted, t)["mean"].mean().item() for t in (0.5, 1.0)}
    assert choose_temperature(accepted) == max(means, key=means.__getitem__) == 1.0
    usual = over_temperatures(accepted)
    assert list(usual) == [0.0, 0.5, 1.0]
    assert usual[1.0]["pass@1"].tolist() == pytest.approx([0.6, 0.6, 0.6])
    assert usual[0.0]["pass@16"].tolist() == usual[0.0]["pass@1"].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("split", "count", "said", "start"),
    [
        ("test", 500, "500 validation problems", 0),
        ("test", 20, "20 validation problems", 0),
        ("test", 1301, "500 validation problems", 0),
        ("validation", 500, "500 validation problems", 500),
        ("validation", 1000, "381 validation problems", 1000),
        ("validation", 1281, "100 validation problems", 1281),
        ("validation", 1381, "500 train problems", None),
    ],
)
def test_the_temperature_is_never_chosen_on_what_is_measured(split, count, said, start):
    chosen_on, found = problems_to_choose_on(split, count)
    assert chosen_on == said
    assert len(found) == int(said.split()[0])
    assert not set(found) & set(problems(split, count))
    expected = problems("train", 500) if start is None else problems("validation")[start : start + len(found)]
    assert found == expected


def test_with_four_numbers_it_is_the_next_ones():
    assert problems_to_choose_on("validation", 3, size=4)[1] == problems("validation", 6, size=4)[3:]


def test_two_policies_side_by_side(accepted):
    """Each by its own T*, the difference between the two rules and not between two temperatures."""
    at = [replace(one, temperatures=(0.0, 1.0, 0.5)) for one in accepted]  # what was its T = 0.5 is now its T = 1
    found = compared(Reading(accepted, 0.5, "9 validation problems"), Reading(at, 0.5, "9 validation problems"))
    rule = found["one_rule"]
    assert rule["temperature"] == {"base": 0.5, "trained": 0.5}
    assert rule["chosen_on"] == "9 validation problems"
    own, other = read(accepted, 0.5)["mean"].mean().item(), read(at, 0.5)["mean"].mean().item()
    assert (rule["base"]["mean"]["value"], rule["trained"]["mean"]["value"]) == pytest.approx((own, other))
    assert rule["difference"]["mean"]["value"] == pytest.approx(other - own)
    assert found["difference"]["pass@1"]["value"] == pytest.approx(0.3 - 0.6)
    assert found["base"] == found["temperatures"]["base"]["1"]
    assert list(found["temperatures"]["trained"]) == ["0", "1", "0.5"]
    assert set(rule["base"]) >= {f"pass@{k}" for k in KS} | {"mean", "distinct", "coverage"}
    assert all(set(entry) == {"value", "low", "high", "stderr"} for entry in rule["difference"].values())


@pytest.mark.parametrize(
    ("value", "low", "high", "said"),
    [(0.1, 0.05, 0.15, "better"), (-0.1, -0.15, -0.05, "worse"), (-1.0, -1.0, 0.0, "undecided")],
)
def test_the_verdict_is_on_the_interval_and_fits(value, low, high, said):
    mean = {"value": value, "low": low, "high": high}
    line = verdict({"one_rule": {"temperature": {"base": 0.6}, "difference": {"mean": mean}}})
    assert line.endswith(f"], {said}")
    assert len(line) <= 100
