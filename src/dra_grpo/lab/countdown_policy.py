"""Countdown's base policy, made from nothing: its tokenizer, its model, and training on random accepted solutions."""

import math
import random
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from dra_grpo.evaluation.exact import exact_probabilities, exact_results, number_sets, with_intervals
from dra_grpo.files import write_json
from dra_grpo.tasks.countdown import BASE_POLICY, accepted_texts, problems

CHARACTERS = "0123456789+-*/=,>:"
END, END_ID = "<|endoftext|>", 0
CONTEXT = 128
IGNORED = -100
TRAIN_PROBLEMS = {3: None, 4: 20_000}
"""Numbers in a problem -> train problems to draw from; None is all of them."""


def pretrain(
    output_dir: str | Path,
    *,
    steps: int = 1_000,
    batch_size: int = 128,
    size: int = 3,
    seed: int = 0,
    measured: int = 500,
) -> dict[str, Any]:
    """Train a base policy on the train split and write it as a Hugging Face folder with its `results.json`.

    Each row is a random problem with one of its accepted solutions, all equally likely; the loss is the next-token
    cross-entropy of the solution and the end token. AdamW (rate 1e-3, weight decay 0.01), gradients clipped to norm
    1, linear warm-up over 100 steps times a cosine to zero. Torch's global generator is left as it was. Every 50 steps
    a line on standard error tells the loss.

    Args:
        output_dir: the folder to write, made where it is missing.
        steps: optimiser steps.
        batch_size: problems in a step.
        size: numbers in a problem: 3 draws from all train problems, 4 from 20,000 that take minutes to list.
        seed: draws the weights and the batches.
        measured: problems of each held-out split for `policy_results`, which is recorded; 0: none.

    Returns:
        What `results.json` holds: the settings, the loss (its running mean), seconds taken, and `"results"`.

    Raises:
        UsageError: `size` is neither 3 nor 4.
    """
    started = time.perf_counter()
    tokenizer = character_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = untrained_model()
    rows = batches(tokenizer, batch_size, size, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(_rate, steps=steps))
    model.train()
    mean_loss = math.log(len(tokenizer))
    for step in range(1, steps + 1):
        ids, labels = next(rows)
        loss = model(input_ids=ids, labels=labels).loss  # padding is on the right: causal attention needs no mask
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean_loss += 0.05 * (loss.item() - mean_loss)
        if step % 50 == 0 or step == steps:
            seconds = time.perf_counter() - started
            print(f"step {step}/{steps}  loss {mean_loss:.3f}  {seconds:.0f} s", file=sys.stderr, flush=True)
    model.eval()
    model.save_pretrained(output_dir)
    tokenizer.save_pretrained(output_dir)
    record = {
        "steps": steps,
        "batch_size": batch_size,
        "size": size,
        "seed": seed,
        "loss": round(mean_loss, 4),
        "seconds": round(time.perf_counter() - started),
        "results": policy_results(model, tokenizer, measured, size) if measured else {},
    }
    write_json(Path(output_dir, "results.json"), record)
    return record


def _rate(step: int, steps: int) -> float:
    """The learning rate's factor: linear warm-up times a cosine from 1 to 0."""
    return min(1.0, (step + 1) / 100) * (1 + math.cos(math.pi * min(1.0, step / steps))) / 2


def batches(tokenizer: Any, batch_size: int, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of token ids and labels, both (batch, length), padded on the right."""
    drawn = problems("train", TRAIN_PROBLEMS.get(size), size=size)
    rows = [(problem.prompt, accepted_texts(problem)) for problem in drawn]
    draw = random.Random(seed)
    while True:
        ids, labels = [], []
        for _ in range(batch_size):
            prompt, texts = draw.choice(rows)
            row = [*tokenizer(prompt + draw.choice(texts)).input_ids, END_ID]  # a character is a token
            ids.append(torch.tensor(row))
            labels.append(torch.tensor([IGNORED] * len(prompt) + row[len(prompt) :]))
        yield (
            pad_sequence(ids, batch_first=True, padding_value=END_ID),
            pad_sequence(labels, batch_first=True, padding_value=IGNORED),
        )


def policy_results(
    model: Any, tokenizer: Any, count: int = 500, size: int = 3, samples: int = 16
) -> dict[str, dict[str, Any]]:
    """Exact results with intervals on `count` validation and `count` test problems, at both identity levels.

    Args:
        model: a causal language model.
        tokenizer: its character tokenizer.
        count: problems of each split.
        size: numbers in a problem, 3 or 4.
        samples: k of pass@k, distinct and coverage.

    Returns:
        `{"validation": results, "test": results}`, where results are those of `with_intervals` for the commutative
        level, with `distinct_associative` and `coverage_associative` added.
    """
    record: dict[str, dict[str, Any]] = {}
    for split in ("validation", "test"):
        accepted = exact_probabilities(model, tokenizer, problems(split, count, size))
        associative = exact_results(accepted, samples, level="associative")
        both = {f"{name}_associative": associative[name] for name in ("distinct", "coverage")}
        record[split] = with_intervals(
            exact_results(accepted, samples) | both, number_sets([one.problem for one in accepted])
        )
    return record


def character_tokenizer(characters: Iterable[str] = CHARACTERS, context: int = CONTEXT) -> Any:
    """One id for each character and one for the end, which also pads, on the left.

    With a padding token of its own, a sample that holds one in the middle would decode to the same text as a sample
    that does not, and p(correct) would no longer be a sum over texts.
    Built as a byte-level BPE without merges: that is what `AutoTokenizer` makes of any folder whose model is a Qwen2,
    whatever pre-tokenizer was saved there. Its unknown token has to be named, or `AutoTokenizer` adds one that the
    model has no embedding for; characters outside the vocabulary are dropped.

    Args:
        characters: the vocabulary; bytes stand in it as `tokenizers.pre_tokenizers.ByteLevel.alphabet` writes them.
        context: the most tokens of a text.
    """
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(BPE(vocab={token: index for index, token in enumerate([END, *characters])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="left",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        pad_token=END,
        eos_token=END,
        unk_token=END,
    )


def untrained_model(vocabulary: int = 1 + len(CHARACTERS), context: int = CONTEXT) -> Any:
    """A Qwen2 like the shipped one (width 128, 4 layers, 0.86 million parameters), float32, of torch's global seed.

    Args:
        vocabulary: token ids, of which 0 ends a text and pads.
        context: the most tokens of a text.
    """
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config.from_pretrained(BASE_POLICY, vocab_size=vocabulary, max_position_embeddings=context)
    model = Qwen2ForCausalLM(config)
    model.generation_config = GenerationConfig.from_pretrained(BASE_POLICY, max_new_tokens=context // 2)
    return model
