from __future__ import annotations

import copy
import math
from collections import Counter

import pytest
import torch
from scipy import stats

from dra_grpo.errors import UsageError
from dra_grpo.evaluation.exact import (
    Accepted,
    completion_logprobs,
    differences,
    exact_probabilities,
    exact_results,
    number_sets,
    with_intervals,
)
from dra_grpo.evaluation.statistics import estimate
from dra_grpo.tasks.countdown import (
    BASE_POLICY,
    Problem,
    accepted_texts,
    distinct_solutions,
    problems,
    solution_key,
    verify,
)

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def policy():
    model = transformers.AutoModelForCausalLM.from_pretrained(BASE_POLICY)
    return model, transformers.AutoTokenizer.from_pretrained(BASE_POLICY)


def plain_probability(model, tokenizer, prompt: str, text: str) -> float:
    """p(o | q) by a forward pass a token, without batch, padding or mask, in float64."""
    ids = [tokenizer.convert_tokens_to_ids(char) for char in prompt]
    product = 1.0
    for token in [*(tokenizer.convert_tokens_to_ids(char) for char in text), tokenizer.eos_token_id]:
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([ids])).logits[0, -1]
        product *= (logits.double().exp() / logits.double().exp().sum())[token].item()
        ids.append(token)
    return product


SMALL = [Problem((2, 3), 6), Problem((3, 5, 7), 22), Problem((10, 12, 20), 2), Problem((1, 2, 2, 3), 18)]


def test_agrees_with_one_forward_pass_a_token(policy):
    model, tokenizer = policy
    double = copy.deepcopy(model).double()
    for one, problem in zip(exact_probabilities(double, tokenizer, SMALL), SMALL, strict=True):
        assert one.problem == problem
        assert one.texts == accepted_texts(problem)
        for text, probability in list(zip(one.texts, one.at().tolist(), strict=True))[:6]:
            assert probability == pytest.approx(plain_probability(double, tokenizer, problem.prompt, text), rel=1e-9)


def test_wrong_completions_have_their_probability_too(policy):
    model, tokenizer = policy
    double = copy.deepcopy(model).double()
    texts = ["3+5=9,9+7=16", "", "3*5=15,15+7=22", "7"]
    logprobs = completion_logprobs(double, tokenizer, ["3,5,7>22:"] * 4, texts)
    expected = [plain_probability(double, tokenizer, "3,5,7>22:", text) for text in texts]
    assert logprobs[0].exp().tolist() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("batch_size", [1, 7, 512])
def test_does_not_depend_on_the_batch(policy, batch_size):
    drawn = problems("validation", 12)
    expected = exact_probabilities(copy.deepcopy(policy[0]).double(), policy[1], drawn)
    for one, other in zip(exact_probabilities(*policy, drawn, batch_size), expected, strict=True):
        assert one.probabilities.dtype == torch.float64
        torch.testing.assert_close(one.probabilities, other.probabilities, rtol=1e-4, atol=1e-7)


def test_results_against_a_plain_loop(policy):
    accepted = exact_probabilities(*policy, SMALL)
    for level in ("commutative", "associative"):
        results = exact_results(accepted, samples=5, level=level)
        assert list(results) == ["pass@1", "pass@5", "distinct", "coverage"]
        for row, one in enumerate(accepted):
            probability = dict(zip(one.texts, one.at().tolist(), strict=True))
            p = sum(probability.values())
            groups = distinct_solutions(one.problem, level).values()
            expected = sum(1 - (1 - sum(probability[text] for text in texts)) ** 5 for texts in groups)
            assert results["pass@1"][row].item() == pytest.approx(p, rel=1e-9)
            assert results["pass@5"][row].item() == pytest.approx(1 - (1 - p) ** 5, rel=1e-6)
            assert results["distinct"][row].item() == pytest.approx(expected, rel=1e-6)
            assert results["coverage"][row].item() == pytest.approx(expected / len(groups), rel=1e-6)


def test_results_at_the_ends():
    texts = ("2*3=6", "3*2=6")
    certain = Accepted(Problem((2, 3), 6), texts, torch.tensor([[1.0, 1e-9]], dtype=torch.float64))  # rounding above 1
    never = Accepted(Problem((2, 3), 6), texts, torch.zeros(1, 2, dtype=torch.float64))
    rare = Accepted(Problem((2, 3), 6), texts, torch.tensor([[1e-18, 0.0]], dtype=torch.float64))
    results = exact_results([certain, never, rare], samples=16)
    assert results["pass@16"].tolist() == pytest.approx([1.0, 0.0, 16e-18], rel=1e-12, abs=0)
    assert results["coverage"].tolist() == pytest.approx([1.0, 0.0, 16e-18], rel=1e-12, abs=0)


def test_sampling_agrees(policy):
    """480 samples of each of 6 problems, through `generate` and the verifier, within binomial bounds."""
    model, tokenizer = policy
    drawn, count, group = problems("validation", 6), 480, 16
    accepted = exact_probabilities(model, tokenizer, drawn)
    results = exact_results(accepted, samples=group)
    pvalues = []
    distinct, variance, passed = 0.0, 0.0, 0
    torch.manual_seed(0)
    for row, (one, problem) in enumerate(zip(accepted, drawn, strict=True)):
        inputs = tokenizer([problem.prompt], return_tensors="pt")
        ids = model.generate(**inputs, num_return_sequences=count)[:, inputs.input_ids.shape[1] :]
        texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
        correct = [verify(text, problem).correct for text in texts]
        seen = Counter(text for text, right in zip(texts, correct, strict=True) if right)
        assert set(seen) <= set(one.texts)
        pvalues.append(stats.binomtest(sum(correct), count, one.correct()).pvalue)
        for text, probability in zip(one.texts, one.at().tolist(), strict=True):
            pvalues.append(stats.binomtest(seen[text], count, probability).pvalue)
        keys = [solution_key(text) if right else None for text, right in zip(texts, correct, strict=True)]
        groups = [set(keys[start : start + group]) - {None} for start in range(0, count, group)]
        found = torch.tensor([len(keys) for keys in groups], dtype=torch.float64)
        distinct += found.mean().item() - results["distinct"][row].item()
        variance += found.var().item() / len(groups)
        passed += sum(bool(keys) for keys in groups)
    assert min(pvalues) > 0.001 / len(pvalues)  # Bonferroni at one in a thousand
    assert sum(pvalue < 0.05 for pvalue in pvalues) <= stats.binom.ppf(0.999, len(pvalues), 0.05)
    assert abs(distinct) < 3.3 * math.sqrt(variance)
    pass_rate = results["pass@16"].mean().item()
    assert stats.binomtest(passed, 6 * count // group, min(1.0, pass_rate)).pvalue > 1e-3


def test_refuses_a_tokenizer_of_other_than_characters(policy):
    from tokenizers import Tokenizer, models, pre_tokenizers

    model, character_tokenizer = policy
    words = Tokenizer(models.WordLevel({"[UNK]": 0, "2": 1, "3": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="[UNK]")
    with pytest.raises(UsageError) as error:
        exact_probabilities(model, tokenizer, SMALL[:1])
    assert "'2,3>6:'" in str(error.value)
    assert "ids for 6 characters; exact probabilities need a character tokenizer" in str(error.value)
    endless = copy.deepcopy(character_tokenizer)
    endless.eos_token = None
    with pytest.raises(UsageError, match="has no end token; exact probabilities need one that ends a solution"):
        exact_probabilities(model, endless, SMALL[:1])


def test_refuses_problems_without_a_solution(policy):
    accepted = exact_probabilities(*policy, [Problem((1, 1), 7)])
    assert accepted[0].correct() == 0.0
    with pytest.raises(UsageError, match="'1,1>7:' has no solution, so no coverage; leave such problems out"):
        exact_results(accepted)


@pytest.mark.parametrize("temperature", [0.2, 0.7, 1.0, 1.4])
def test_temperatures_against_one_forward_pass_a_token(policy, temperature):
    model, tokenizer = policy
    double = copy.deepcopy(model).double()
    (one,) = exact_probabilities(double, tokenizer, SMALL[1:2], temperatures=(1.0, temperature))
    colder = copy.deepcopy(double)
    colder.lm_head = torch.nn.Linear(128, len(tokenizer), bias=False, dtype=torch.float64)
    colder.lm_head.weight.data = double.lm_head.weight.data / temperature  # the same logits, divided
    for text, probability in zip(one.texts, one.at(temperature).tolist(), strict=True):
        assert probability == pytest.approx(plain_probability(colder, tokenizer, one.problem.prompt, text), rel=1e-9)


def test_temperature_0_is_what_generate_writes(policy):
    model, tokenizer = policy
    drawn = problems("validation", 40)
    accepted = exact_probabilities(model, tokenizer, drawn, temperatures=(0.0,))
    for one in accepted:
        inputs = tokenizer([one.problem.prompt], return_tensors="pt")
        ids = model.generate(**inputs, do_sample=False, temperature=None, top_p=None, top_k=None)
        written = tokenizer.decode(ids[0, inputs.input_ids.shape[1] :], skip_special_tokens=True)
        assert one.at(0.0).tolist() == [float(text == written) for text in one.texts]
    assert 0 < sum(one.correct(0.0) for one in accepted) < 40
    with pytest.raises(UsageError, match=r"no probabilities at temperature 0\.5; expected one of 0\.0"):
        accepted[0].correct(0.5)
    with pytest.raises(UsageError, match=r"temperatures are \[-1\]; expected one or more, each 0 or above"):
        exact_probabilities(model, tokenizer, drawn, temperatures=[-1])


def test_a_policy_that_computes_nan_has_no_results(policy):
    broken = copy.deepcopy(policy[0])
    broken.lm_head.weight.data[3] = torch.nan
    with pytest.raises(UsageError, match="the model's logits are NaN or infinite, so it has no results"):
        exact_probabilities(broken, policy[1], SMALL)


def test_intervals_are_over_sets_of_numbers():
    """Three targets of one set of numbers are one draw, not three."""
    same = [Problem((3, 5, 7), 22), Problem((7, 5, 3), 15), Problem((5, 3, 7), 4)]
    clusters = number_sets([*same, Problem((2, 3), 6), Problem((2, 4), 6)])
    assert clusters == [(3, 5, 7)] * 3 + [(2, 3), (2, 4)]
    values = torch.tensor([0.9, 0.9, 0.9, 0.1, 0.2])
    one = with_intervals({"pass@1": values}, clusters)["pass@1"]
    assert one["stderr"] == estimate(values, clusters=clusters).stderr > 1.3 * estimate(values).stderr
    less = differences({"pass@1": values}, {"pass@1": values.flip(0)}, clusters)["pass@1"]
    assert less["stderr"] == estimate(values - values.flip(0), clusters=clusters).stderr
