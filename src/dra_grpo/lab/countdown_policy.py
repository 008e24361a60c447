"""Supervised pre-training of the base policy on uniformly random accepted solutions."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from dra_grpo.errors import UsageError
from dra_grpo.files import write_json
from dra_grpo.lab.policy_files import END_ID, character_tokenizer, untrained_model
from dra_grpo.tasks.countdown.solutions import accepted_texts
from dra_grpo.tasks.countdown.splits import problems

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

IGNORED = -100
WARMUP = 100
TRAIN_PROBLEMS = {3: None, 4: 20_000}
"""Numbers in a problem -> train problems to draw from; None is all of them."""
Measure = Callable[["Qwen2ForCausalLM", "PreTrainedTokenizerFast"], dict[str, Any]]


def pretrain(
    output_dir: str | Path,
    *,
    steps: int = 1_000,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    size: int = 3,
    seed: int = 0,
    measure: Measure | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train a base policy on the train split and write it as a Hugging Face folder with its `figures.json`.

    Each row is a random problem with one of its accepted solutions, all equally likely; the loss is the next-token
    cross-entropy of the solution and the end token. AdamW (weight decay 0.01), gradients clipped to norm 1, linear
    warm-up over 100 steps times a cosine to zero. Torch's global generator is left as it was.

    Args:
        output_dir: the folder to write, made where it is missing.
        steps: optimiser steps.
        batch_size: problems in a step.
        learning_rate: its peak.
        size: numbers in a problem: 3 draws from all train problems, 4 from 20,000 that take minutes to list.
        seed: draws the weights and the batches.
        measure: called with the trained model and tokenizer; what it returns is recorded as `"figures"`.
            `dra_grpo.lab.base_policy.policy_figures` is made for this.
        progress: a line on standard error every 50 steps.

    Returns:
        What `figures.json` holds: the settings, the loss (its running mean), seconds taken, and `"figures"`.

    Raises:
        UsageError: `steps` or `batch_size` is below 1, or `size` is neither 3 nor 4.
    """
    if steps < 1 or batch_size < 1:
        raise UsageError(f"steps is {steps} and batch_size {batch_size}, expected 1 or more of both")
    started = time.perf_counter()
    tokenizer = character_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = untrained_model()
    rows = batches(tokenizer, batch_size, size, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, steps=steps))
    model.train()
    mean_loss = math.log(len(tokenizer))
    for step in range(1, steps + 1):
        loss = _loss(model, *next(rows))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean_loss += 0.05 * (loss.item() - mean_loss)
        if progress and (step % 50 == 0 or step == steps):
            seconds = time.perf_counter() - started
            print(f"step {step}/{steps}  loss {mean_loss:.3f}  {seconds:.0f} s", file=sys.stderr, flush=True)
    model.eval()
    model.save_pretrained(output_dir)
    tokenizer.save_pretrained(output_dir)
    record = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "size": size,
        "seed": seed,
        "loss": round(mean_loss, 4),
        "seconds": round(time.perf_counter() - started),
        "figures": measure(model, tokenizer) if measure else {},
    }
    write_json(Path(output_dir, "figures.json"), record)
    return record


def _rate(step: int, steps: int) -> float:
    """The learning rate's factor: linear warm-up times a cosine from 1 to 0."""
    return min(1.0, (step + 1) / WARMUP) * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2


def batches(
    tokenizer: PreTrainedTokenizerFast, batch_size: int, size: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of token ids and labels, both (batch, length), padded on the right."""
    rows = _train_rows(size)
    draw = random.Random(seed)
    while True:
        ids, labels = [], []
        for _ in range(batch_size):
            prompt, texts = draw.choice(rows)
            prompt_ids = tokenizer(prompt).input_ids
            solution_ids = [*tokenizer(draw.choice(texts)).input_ids, END_ID]
            ids.append(torch.tensor(prompt_ids + solution_ids))
            labels.append(torch.tensor([IGNORED] * len(prompt_ids) + solution_ids))
        yield (
            pad_sequence(ids, batch_first=True, padding_value=END_ID),
            pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        )


@cache
def _train_rows(size: int) -> list[tuple[str, tuple[str, ...]]]:
    """The prompt and the accepted texts of the train problems; listing them takes seconds, for 4 numbers minutes."""
    drawn = problems("train", TRAIN_PROBLEMS.get(size), size=size)
    return [(problem.prompt, accepted_texts(problem)) for problem in drawn]


def _loss(model: Qwen2ForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over labelled tokens; padding is on the right, so causal attention needs no mask."""
    logits = model(input_ids=ids).logits[:, :-1]
    return cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORED)
