"""The adjustment's share of a whole GRPO step: TRL's trainer, random weights, each embedder in turn, one run.

    python benchmarks/overhead.py                                   # a laptop: a small Qwen2
    python benchmarks/overhead.py --size 1.5b --tokens 3584 --prompts 8 --embedders ngram minilm policy   # a GPU

Random weights make no sense but take the time that trained ones take: completions run to the token limit. The paper
reports 6% for its encoder of 33 million parameters.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from statistics import median

import torch

from dra_grpo.cli.tables import table
from dra_grpo.config import DRAConfig

SHAPES = {
    "small": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
              "num_key_value_heads": 4, "vocab_size": 2_000},
    "1.5b": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
             "num_key_value_heads": 2, "vocab_size": 151_936, "tie_word_embeddings": True},
}  # fmt: skip
"""Qwen2 configurations; "1.5b" is that of Qwen2-1.5B."""


def word_tokenizer(words: int):
    """A tokenizer whose every id is a word, so that random ids decode to text of the usual length."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<pad>": 0, "<eos>": 1, **{f"w{i}": i for i in range(2, words)}}
    tokenizer = Tokenizer(WordLevel(vocab=vocabulary, unk_token="<eos>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<eos>", padding_side="left"
    )


def even_length(completions, **columns):
    """A reward that is right about half the time and costs nothing."""
    return [float(len(text) % 2 == 0) for text in completions]


def measure(embedder: str, chosen: argparse.Namespace) -> list[str]:
    """One row: median seconds of a step, of the adjustment, and their ratio."""
    from datasets import Dataset
    from transformers import Qwen2Config, Qwen2ForCausalLM
    from trl import GRPOConfig

    from dra_grpo.engines.trl import DRAGRPOTrainer

    shape = SHAPES[chosen.size]
    gpu = torch.cuda.is_available()
    torch.manual_seed(0)
    with torch.device("cuda" if gpu else "cpu"):
        config = Qwen2Config(**shape, max_position_embeddings=chosen.tokens + 64, eos_token_id=1, pad_token_id=0)
        model = Qwen2ForCausalLM(config).to(torch.bfloat16 if gpu else torch.float32)
    rows = chosen.prompts * chosen.generations
    with tempfile.TemporaryDirectory() as folder:
        trainer = DRAGRPOTrainer(
            model=model,
            reward_funcs=[even_length],
            args=GRPOConfig(
                folder, per_device_train_batch_size=min(rows, chosen.batch),
                gradient_accumulation_steps=-(-rows // chosen.batch),
                num_generations=chosen.generations, max_completion_length=chosen.tokens, max_steps=chosen.steps + 1,
                learning_rate=0.0, use_cpu=not gpu, bf16=gpu, report_to=[], save_strategy="no", logging_steps=1,
                activation_checkpointing=gpu, disable_tqdm=True,
            ),
            train_dataset=Dataset.from_list([{"prompt": f"w{i} w{i + 1}"} for i in range(2, 2 + 4 * chosen.prompts)]),
            processing_class=word_tokenizer(shape["vocab_size"]),
            dra=DRAConfig(embedder=embedder),
        )  # fmt: skip
        trainer.remove_callback(__import__("transformers").PrinterCallback)
        started = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - started
    # The first step warms up kernels and caches.
    steps = [line for line in trainer.state.log_history if "step_time" in line][1:]
    step, own = median(x["step_time"] for x in steps), median(x["dra/seconds"] for x in steps)
    return [embedder, f"{step:.3f}", f"{own:.4f}", f"{100 * own / step:.2f}%", f"{seconds:.0f}"]


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SHAPES, default="small")
    parser.add_argument("--tokens", type=int, default=64, help="completion length")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64, help="rows a forward and backward pass")
    parser.add_argument("--steps", type=int, default=5, help="measured steps, after one to warm up")
    parser.add_argument("--embedders", nargs="+", default=["ngram", "policy", "minilm"])
    chosen = parser.parse_args()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    print(f"{device}: Qwen2 {chosen.size}, {chosen.prompts} prompts x {chosen.generations} x {chosen.tokens} tokens")
    rows = [measure(embedder, chosen) for embedder in chosen.embedders]
    print(table(["embedder", "step, s", "adjustment, s", "share", "run, s"], rows))


if __name__ == "__main__":
    main()
