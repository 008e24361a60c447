import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from transformers import AutoModelForCausalLM, AutoTokenizer

from dra_grpo.lab import propensity
from dra_grpo.lab.embedders import identity
from dra_grpo.lab.experiment import Place
from dra_grpo.lab.propensity import (
    SOLUTION,
    TEXT,
    Drawn,
    calibration,
    draw,
    gradients,
    in_company,
    logprob_gradients,
    spearman,
    weightings,
)
from dra_grpo.tasks.countdown import BASE_POLICY, Problem, accepted_texts, distinct_solutions, problems


@pytest.fixture(scope="module")
def policy():
    model = AutoModelForCausalLM.from_pretrained(BASE_POLICY, dtype=torch.float64).eval()
    return model, AutoTokenizer.from_pretrained(BASE_POLICY)


@pytest.fixture(scope="module")
def drawn(policy):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [draw(*policy, problem, 256) for problem in problems("validation", 2)]


def made_up(chances: dict[str, float], count: int, seed: int = 0) -> Drawn:
    """A policy whose chances are given: the problem's accepted texts first, then wrong ones."""
    problem = Problem((2, 3, 5), 30)
    accepted = [text for text in chances if text in accepted_texts(problem)]
    texts = [*accepted, *(text for text in chances if text not in accepted)]
    p = torch.tensor([chances[text] for text in texts], dtype=torch.float64)
    samples = torch.multinomial(p, count, replacement=True, generator=torch.Generator().manual_seed(seed))
    solution = torch.full_like(p, torch.nan)
    solution[: len(accepted)] = p[: len(accepted)]
    return Drawn(problem, texts, len(accepted), {TEXT: p, "correct text": solution, SOLUTION: solution}, samples)


CHANCES = {"2*3=6,6*5=30": 0.5, "2*5=10,10*3=30": 0.2, "3*5=15,15*2=30": 0.05, "2+3=5": 0.15, "": 0.1}
"""Three solutions, and two texts that are none."""


def test_the_rank_correlation_is_scipys_row_by_row():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, (50, 7)).astype(float), rng.normal(size=(50, 7))
    y[rng.random((50, 7)) < 0.4] = np.nan
    for row, (a, b) in zip(spearman(x, y), zip(x, y, strict=True), strict=True):
        a, b = a[~np.isnan(b)], b[~np.isnan(b)]
        alike = len(set(a)) < 2 or len(set(b)) < 2
        assert np.isnan(row) if alike else row == pytest.approx(spearmanr(a, b).statistic)


def test_a_policy_whose_density_smi_is_exactly_is_found_calibrated():
    """Under exact identity E[1 + SMI | o] = 1 + (G − 1) p(o), so that the ratio to p is 1 but for 1 / (G p)."""
    one = made_up(CHANCES, 256 * 400)
    rows = identity(one.texts)
    similar = [{"exact identity": (rows @ rows.T).double()}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propensity, "GROUP", 256)
        found = [each for each in calibration([one], similar, bins=5) if each["of the"] == TEXT]
    for each in found:
        p, estimated = each["mean p"], each["exact identity"]
        assert estimated["value"] == pytest.approx((1 + 255 * p) / 256, rel=0.02)
        assert estimated["ratio"] == pytest.approx(1, abs=0.1)
    assert [each["mean p"] for each in found] == sorted(each["mean p"] for each in found)


def test_the_accepted_texts_come_with_their_exact_chances(drawn):
    for one in drawn:
        assert tuple(one.texts[: one.accepted]) == accepted_texts(one.problem)
        assert set(one.samples.tolist()) >= set(range(one.accepted, len(one.texts)))
        often = torch.bincount(one.samples, minlength=len(one.texts)) / len(one.samples)
        assert (often - one.densities[TEXT]).abs().max() < 4 * 0.5 / 16, "4 standard errors of a share of 256"
        for texts in distinct_solutions(one.problem).values():
            places = [one.texts.index(text) for text in texts]
            together = one.densities[TEXT][places].sum()
            assert one.densities[SOLUTION][places].tolist() == pytest.approx([together.item()] * len(places))
        assert one.densities[SOLUTION].isnan().sum() == len(one.texts) - one.accepted


def test_gradients_are_those_of_a_loop_over_everything(policy, drawn):
    """The batch's mean gradients and cosines again, by one backward pass a weighting through the texts' chances."""
    model, tokenizer = policy
    similar = [{"x": (x @ x.T).double()} for x in (identity(one.texts) for one in drawn)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(propensity, "SIZES", (8,))
        found = {row["weight"]: row for row in gradients(drawn, similar, model, tokenizer)}

    def gradient(name):
        model.zero_grad()
        for one, own in zip(drawn, similar, strict=True):
            weights = weightings(one, own, 8)[name][0].mean(0)
            for text, weight in zip(accepted_texts(one.problem), weights, strict=True):
                asked, ids = len(one.problem.prompt), [*tokenizer(one.problem.prompt + text).input_ids, 0]
                logprobs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
                sum(weight * logprobs[place - 1, ids[place]] for place in range(asked, len(ids))).backward()
        return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])

    exact = gradient("R / p of the text")
    direct = sum(logprob_gradients(model, tokenizer, one).sum(0) for one in drawn)
    assert torch.allclose(exact, direct, rtol=1e-4, atol=1e-4), "R / p is the plain sum over accepted texts"
    for name in ("R", "R / (1 + SMI), x"):
        cosine = torch.cosine_similarity(gradient(name), exact, dim=0).item()
        assert found[name]["batch, text"] == pytest.approx(cosine, abs=1e-5)
    assert found["R / p of the text"]["noise"] > found["R"]["noise"] > 0


def test_a_weights_mean_and_covariance_are_those_of_groups_drawn_again():
    """100,000 groups of 4 from known chances; the mean and covariance measured with other samples, or exact."""
    one, again = made_up(CHANCES, 40_000), made_up(CHANCES, 400_000, seed=1)
    rows = identity(one.texts)
    likeness, n, groups = (rows @ rows.T).double(), one.accepted, again.samples.view(-1, 4)
    same = (groups[:, :, None] == groups[:, None, :]).sum(-1)
    p = one.densities[TEXT]
    for name, weights in {
        "R": torch.ones_like(same).double(),
        "R / (1 + SMI), x": 1 / same,
        "R / p of the text": 1 / p[groups],
        "equal shares": 1 / (groups < n).sum(1, keepdim=True).clamp(min=1).expand(-1, 4),
        "shares as 1 / p": 1 / p[groups] / (((groups < n) / p[groups]).sum(1, keepdim=True).clamp(min=1e-9)),
    }.items():
        drawn = torch.stack([torch.where(groups == o, weights, 0.0).mean(1) for o in range(n)], dim=1)
        halves, covariance = weightings(one, {"x": likeness}, 4)[name]
        assert torch.allclose(halves.mean(0), drawn.mean(0).double(), rtol=0.05), name
        assert torch.allclose(covariance, drawn.double().T.cov(), rtol=0.1, atol=2e-3), name
    assert torch.allclose(*in_company(one, likeness, 4)[0], rtol=0.05)


def test_the_tables_come_out_whole(policy, drawn, tmp_path, monkeypatch):
    monkeypatch.setattr(propensity, "PROBLEMS", "validation[:2]")
    monkeypatch.setattr(propensity, "SAMPLES", 128)
    monkeypatch.setattr(propensity, "EMBEDDERS", {"ngram": "ngram"})
    lines = propensity.analyse(Place(tmp_path, tmp_path), 1, (0,))
    assert sum(line.startswith("| ngram | ") for line in lines) == len(propensity.SIZES)
    assert sum(" R / (1 + SMI), policy | " in line for line in lines) == len(propensity.SIZES)
    assert {file.name for file in tmp_path.iterdir()} == {"propensity.json", "propensity.svg"}
    assert lines == propensity.analyse(Place(tmp_path, tmp_path), 1, (0,))[: len(lines)]
