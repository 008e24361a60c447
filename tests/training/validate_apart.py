"""Run under torchrun by test_validation.py: the second process's weights differ, and both evaluate."""

import json
import sys

import torch

from dra_grpo.training.run import build_trainer
from dra_grpo.training.settings import parse_settings

if __name__ == "__main__":
    arguments = [
        "--config",
        "countdown",
        "--output_dir",
        sys.argv[1],
        "--eval_steps",
        "1",
        "--validation_problems",
        "8",
    ]
    trainer = build_trainer(parse_settings(arguments))
    rank = trainer.accelerator.process_index
    if rank:
        with torch.no_grad():
            for weight in trainer.model.parameters():
                weight.add_(torch.randn_like(weight))
    figures = trainer.evaluate()
    print(json.dumps({"rank": rank, "figures": figures}) + "\n", end="", flush=True)
