"""Run under torchrun by test_trl_processes.py: real trainers whose groups of 4 span processes of 6 rows.

Usage: split_groups.py OUT.json CASES, cases being a JSON list of [DRAConfig fields, trainer settings].
"""

import json
import os
import sys
from pathlib import Path

from accelerate import PartialState

sys.path.insert(0, str(Path(__file__).parent))
from conftest import known, last_batch, length_reward, make_trainer
from dra_grpo.config import DRAConfig


def reward(completions, completion_ids, **columns):
    """Row 5 of everyone, in the group that both processes hold, cannot be scored."""
    values = length_reward(completions)
    if os.environ["RANK"] == "0":
        values[5] = None
    return values


def one_step(folder, dra, settings):
    trainer = make_trainer(folder, DRAConfig(**dra), rewards=[reward], per_device_train_batch_size=6, **settings)
    received = []
    original = trainer._generate_and_score_completions
    trainer._generate_and_score_completions = lambda inputs: received.append(original(inputs)) or received[-1]
    trainer.train()
    everyone = trainer.accelerator.gather(received[-1]["advantages"]).tolist()
    rollouts, adjusted = trainer.adjustment
    batch = last_batch(trainer)
    return {
        "processes": trainer.accelerator.num_processes,
        "main": trainer.accelerator.is_main_process,
        "texts": batch.texts,
        "raw": known(batch.rewards["reward"]),
        "advantages": batch.advantages,
        "received": everyone,
        "embeddings": None if rollouts.embeddings is None else rollouts.embeddings.double().tolist(),
        "logprobs": None if rollouts.logprobs is None else rollouts.logprobs.tolist(),
        "lengths": None if rollouts.lengths is None else rollouts.lengths.tolist(),
        "weights": known(adjusted.weights.tolist()),
        "logged": trainer.state.log_history[-2],
    }


if __name__ == "__main__":
    out, cases = Path(sys.argv[1]), json.loads(sys.argv[2])
    records = [one_step(out.parent, dra, settings) for dra, settings in cases]
    if records[0]["main"]:
        out.write_text(json.dumps(records))
    PartialState().destroy_process_group()  # as `dra-grpo train` ends
