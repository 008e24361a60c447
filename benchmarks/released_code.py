"""What the paper's released code computes, beside the formula: weights on real groups, and their error.

    python benchmarks/released_code.py [--prompts 24] [--embedder ngram]

The released trainer takes w_i = 1 / (Σ_j cos_ij + 1e-6) over the rows that happen to lie on one process, itself
included, before rewards are gathered. Its recipe (G = 6, 4 rows a process, 3 processes) splits every group, and one
process mixes two prompts. The formula is w_i = 1 / (1 + Σ_{j≠i} cos_ij) over the prompt's group. Groups come from
the base policy.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from dra_grpo import EMBEDDERS, adjust_rewards, grpo_advantages
from dra_grpo.cli.tables import table
from dra_grpo.rewards.countdown import countdown_reward
from dra_grpo.tasks.countdown import BASE_POLICY, Problem, problems

LAYOUTS = [(6, 4, 3), (6, 6, 2), (8, 4, 4), (8, 8, 4)]
"""(G, rows a process, processes)"""


def released_weights(embeddings: Tensor, rows: int) -> Tensor:
    """1 / (Σ_j cos_ij + 1e-6) within blocks of `rows` consecutive unit vectors, whatever their prompts."""
    return torch.cat([1 / ((block @ block.T).sum(1) + 1e-6) for block in embeddings.split(rows)])


def sampled_groups(chosen: list[Problem], size: int) -> list[str]:
    """`size` completions of each problem from the base policy at temperature 1, group by group."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(BASE_POLICY, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(BASE_POLICY)
    torch.manual_seed(0)
    prompts = tokenizer([p.prompt for p in chosen for _ in range(size)], return_tensors="pt", padding=True)
    output = model.generate(**prompts, do_sample=True, max_new_tokens=32)
    return tokenizer.batch_decode(output[:, prompts.input_ids.shape[1] :], skip_special_tokens=True)


def main() -> None:
    """Print one row a layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--embedder", default="ngram")
    settings = parser.parse_args()
    encoder = EMBEDDERS[settings.embedder]()
    chosen = problems("validation", settings.prompts)
    rows = []
    for size, per_process, processes in LAYOUTS:
        texts = sampled_groups(chosen, size)
        batch = per_process * processes
        count = len(texts) // batch * batch
        owners = [p for p in chosen for _ in range(size)]
        rewards = torch.tensor(countdown_reward(texts, [list(p.numbers) for p in owners], [p.target for p in owners]))[
            :count
        ]
        groups = (torch.arange(len(texts)) // size)[:count]
        embeddings = encoder.encode(texts)[:count]
        ours = adjust_rewards(rewards, embeddings, groups)
        theirs = released_weights(embeddings, per_process)
        error = (theirs - ours.weights).abs()
        plain = grpo_advantages(ours.rewards, groups)
        moved = (grpo_advantages(rewards * theirs, groups) - plain).abs()
        turned = ((grpo_advantages(rewards * theirs, groups) * plain) < 0).float().mean()
        rows.append([size, per_process, processes, f"{error.mean():.3f}", f"{error.max():.3f}", f"{moved.mean():.3f}",
                     f"{100 * turned:.1f}%"])  # fmt: skip
    print(f"{settings.prompts} Countdown problems, embedder {settings.embedder}; error = |released weight - formula|")
    print(table(["G", "rows", "processes", "mean error", "largest", "advantages move by", "sign turned"], rows))


if __name__ == "__main__":
    main()
