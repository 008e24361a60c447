"""Exact results of a policy on Countdown at any temperature: nothing is sampled.

A problem's accepted texts are all known, so p_T(correct | q) = Σ_o p_T(o | q) over them, with the end token;
everything else follows from the p_T(o | q), and one forward pass gives them for every temperature T.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from dra_grpo.embedders.policy import right_padded
from dra_grpo.errors import UsageError
from dra_grpo.evaluation.statistics import bounds, estimate
from dra_grpo.tasks.countdown import Level, Problem, accepted_texts, solution_key


@dataclass(frozen=True, eq=False)
class Accepted:
    """A problem, all its accepted texts, and the policy's probability of each at each temperature.

    Attributes:
        problem: the problem.
        texts: its accepted texts.
        temperatures: L of them; 0 is greedy decoding.
        probabilities: (L, texts) float64 on the CPU; of greedy decoding 1 for the text that it writes, else 0.

    >>> chances = torch.tensor([[1, 0], [0.5, 0.25]]).double()
    >>> accepted = Accepted(Problem((2, 3), 6), ("2*3=6", "3*2=6"), chances, (0.0, 1.0))
    >>> accepted.correct(0.0), accepted.correct(), accepted.solutions()
    (1.0, 0.75, {'(2*3)': 0.75})
    """

    problem: Problem
    texts: tuple[str, ...]
    probabilities: Tensor
    temperatures: tuple[float, ...] = (1.0,)

    def at(self, temperature: float = 1.0) -> Tensor:
        """p_T(o | q) of each text, (texts,).

        Raises:
            UsageError: a temperature that the probabilities were not computed at.
        """
        if temperature not in self.temperatures:
            known = ", ".join(map(str, self.temperatures))
            raise UsageError(f"no probabilities at temperature {temperature}; expected one of {known}")
        return self.probabilities[self.temperatures.index(temperature)]

    def correct(self, temperature: float = 1.0) -> float:
        """p_T(correct | q), the sum over all accepted texts."""
        return min(1.0, self.at(temperature).sum().item())

    def solutions(self, level: Level = "commutative", temperature: float = 1.0) -> dict[str, float]:
        """Identity key -> p_s, the probability that a sample is that solution."""
        sums: dict[str, float] = {}
        for text, probability in zip(self.texts, self.at(temperature).tolist(), strict=True):
            key = solution_key(text, level)
            sums[key] = min(1.0, sums.get(key, 0.0) + probability)
        return sums


def completion_logprobs(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    texts: Sequence[str],
    batch_size: int = 512,
    temperatures: Sequence[float] = (1.0,),
) -> Tensor:
    """log p_T(o | q) of finished completions, right or wrong, by teacher forcing.

    log p_T(o | q) = Σ_t log softmax(logits_t / T)[o_t] over the tokens of o and the end token after it; T = 0 is
    greedy decoding, 0 for the completion that it writes and -∞ for any other. The softmax is in float32 at least. Rows
    are sorted by length, so a batch has next to no padding.

    Args:
        model: a causal language model on any device, in any float dtype; its mode (train or eval) is restored.
        tokenizer: one that gives each character of prompts and texts one id, or else a text would have several
            token sequences and this would be the probability of one of them only.
        prompts: N prompts.
        texts: N completions, without the end token.
        batch_size: texts in a forward pass; the answer does not depend on it.
        temperatures: L of them, 0 or more; one forward pass serves all.

    Returns:
        (L, N) float64 on the CPU.

    Raises:
        UsageError: a negative temperature, the tokenizer has no end token or does not give one id a character, or the
            model computes NaN.
    """
    if tokenizer.eos_token_id is None:
        raise UsageError("the tokenizer has no end token; exact probabilities need one that ends a solution")
    if not temperatures or min(temperatures) < 0:
        raise UsageError(f"temperatures are {list(temperatures)}; expected one or more, each 0 or above")
    rows = [
        (_ids(tokenizer, prompt), [*_ids(tokenizer, text), tokenizer.eos_token_id])
        for prompt, text in zip(prompts, texts, strict=True)
    ]
    order = sorted(range(len(rows)), key=lambda row: len(rows[row][0]) + len(rows[row][1]))
    logprobs = torch.empty(len(temperatures), len(rows), dtype=torch.float64)
    training = model.training
    model.eval()
    try:
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            logprobs[:, batch] = _logprobs(model, [rows[row] for row in batch], temperatures)
    finally:
        model.train(training)
    return logprobs


def exact_probabilities(
    model: Any,
    tokenizer: Any,
    problems: Sequence[Problem],
    batch_size: int = 512,
    temperatures: Sequence[float] = (1.0,),
) -> list[Accepted]:
    """The policy's probability of every accepted text of every problem.

    Args:
        model, tokenizer, batch_size, temperatures: as in `completion_logprobs`.
        problems: N problems.

    Returns:
        N `Accepted`, in the order of `problems`.

    Raises:
        UsageError: what `completion_logprobs` refuses.
    """
    texts = [accepted_texts(problem) for problem in problems]
    prompts = [problem.prompt for problem, own in zip(problems, texts, strict=True) for _ in own]
    every = [text for own in texts for text in own]
    logprobs = completion_logprobs(model, tokenizer, prompts, every, batch_size, temperatures)
    parts = logprobs.exp().split([len(accepted) for accepted in texts], dim=1)
    return [Accepted(*fields, temperatures=tuple(temperatures)) for fields in zip(problems, texts, parts, strict=True)]


def exact_results(
    accepted: Sequence[Accepted], samples: int = 16, level: Level = "commutative", temperature: float = 1.0
) -> dict[str, Tensor]:
    """What `samples` independent samples at one temperature come to on each problem; the means are the policy's.

    pass@k = 1 - (1 - p)^k; distinct = Σ_s 1 - (1 - p_s)^k, the expected number of distinct correct solutions among
    the k samples; coverage = distinct / number of solutions the problem has.

    Args:
        accepted: N problems with their probabilities, from `exact_probabilities`.
        samples: k, 1 or more.
        level: when two texts are the same solution, as in `solution_key`.
        temperature: of the samples, one that the probabilities are known at.

    Returns:
        `pass@1`, `pass@k`, `distinct` and `coverage`, each (N,) float64.

    Raises:
        UsageError: a problem has no solution.

    >>> chances = torch.tensor([[0.25, 0.25]]).double()
    >>> accepted = Accepted(Problem((2, 3), 6), ("2*3=6", "3*2=6"), chances)
    >>> {name: values.item() for name, values in exact_results([accepted], samples=2).items()}
    {'pass@1': 0.5, 'pass@2': 0.75, 'distinct': 0.75, 'coverage': 0.75}
    """
    correct = correct_at(accepted, temperature)
    solutions = [chances(one.solutions(level, temperature)) for one in accepted]
    counts = torch.tensor([len(one) for one in solutions], dtype=torch.float64)
    distinct = torch.stack([drawn(one, samples).sum() for one in solutions])
    passed = {"pass@1": correct, f"pass@{samples}": drawn(correct, samples)}
    return {**passed, "distinct": distinct, "coverage": distinct / counts}


def correct_at(accepted: Sequence[Accepted], temperature: float) -> Tensor:
    """p_T(correct | q) of each problem, (N,) float64.

    Raises:
        UsageError: a problem has no solution.
    """
    if unsolvable := [one.problem.prompt for one in accepted if not one.texts]:
        raise UsageError(f"{unsolvable[0]!r} has no solution, so no coverage; leave such problems out")
    return torch.tensor([one.correct(temperature) for one in accepted], dtype=torch.float64)


def drawn(probability: Tensor, samples: int) -> Tensor:
    """1 - (1 - p)^k, the chance that one of k samples is it, without the cancellation at small p.

    >>> drawn(torch.tensor([0.5, 0.0, 1.0]), 2), drawn(torch.tensor([1.0]), 0)
    (tensor([0.7500, 0.0000, 1.0000]), tensor([0.]))
    """
    return -torch.expm1(samples * torch.log1p(-probability)) if samples else torch.zeros_like(probability)


def chances(solutions: Mapping[str, float]) -> Tensor:
    """The p_s of `Accepted.solutions`, (solutions,) float64."""
    return torch.tensor(list(solutions.values()), dtype=torch.float64)


def number_sets(problems: Sequence[Problem]) -> list[tuple[int, ...]]:
    """What problems that are not independent share, their set of numbers: `estimate`'s clusters.

    >>> number_sets([Problem((3, 5), 15), Problem((5, 3), 8)])
    [(3, 5), (3, 5)]
    """
    return [tuple(sorted(problem.numbers)) for problem in problems]


def with_intervals(
    results: Mapping[str, Tensor], clusters: Sequence[Hashable] | None = None
) -> dict[str, dict[str, float]]:
    """Per-problem results as one side of `eval.json`: name -> value, low, high (95%) and stderr.

    Args:
        results: name -> (N,), as `exact_results` gives them.
        clusters: (N,) the `number_sets` of the problems; None: all are independent.

    >>> with_intervals({"pass@1": torch.tensor([0.5, 0.0])})["pass@1"]
    {'value': 0.25, 'low': 0.0, 'high': 1.0, 'stderr': 0.25}
    """
    return {name: asdict(estimate(values, bounds(name), clusters)) for name, values in results.items()}


def differences(
    trained: Mapping[str, Tensor], base: Mapping[str, Tensor], clusters: Sequence[Hashable] | None = None
) -> dict[str, dict[str, float]]:
    """Trained minus base, paired by problem: name -> value, low, high (95%) and stderr.

    Args:
        trained: name -> (N,), as `exact_results` gives them.
        base: the same names, on the same problems in the same order.
        clusters: as in `with_intervals`.

    >>> differences({"pass@1": torch.tensor([0.75, 0.75])}, {"pass@1": torch.tensor([0.5, 0.5])})
    {'pass@1': {'value': 0.25, 'low': 0.25, 'high': 0.25, 'stderr': 0.0}}
    """
    return {name: asdict(estimate(values - base[name], clusters=clusters)) for name, values in trained.items()}


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    if len(ids) != len(text):
        found = f"the tokenizer gives {text!r} {len(ids)} ids for {len(text)} characters"
        raise UsageError(f"{found}; exact probabilities need a character tokenizer, others can be sampled only")
    return ids


@torch.no_grad()
def _logprobs(model: Any, rows: Sequence[tuple[list[int], list[int]]], temperatures: Sequence[float]) -> Tensor:
    """log p_T(completion | prompt) of each row, (L, rows) float64 on the CPU."""
    prompts, completions = zip(*rows, strict=True)
    ids, mask, scored = right_padded(prompts, completions, model.device)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if not logits.amax(-1).isfinite().all():
        raise UsageError("the model's logits are NaN or infinite, so it has no results; take other weights")
    tokens, scored = ids[:, 1:], scored[:, 1:]
    found = []
    for temperature in temperatures:
        if temperature == 0:  # the token that is written, where two tie the first, as `generate` does
            logprobs = torch.where(logits.argmax(-1) == tokens, 0.0, -torch.inf)
        else:
            logprobs = (logits / temperature).log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        found.append(logprobs.double().masked_fill(~scored, 0.0).sum(-1).cpu())
    return torch.stack(found)
