"""The trainer of a run, which validates while it trains: exactly on Countdown, elsewhere by sampling."""

import time
from copy import deepcopy
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor
from transformers import Trainer

from dra_grpo.engines.trl import DRAGRPOTrainer
from dra_grpo.tasks.countdown import Problem
from dra_grpo.training.validation import exact_figures


class RunTrainer(DRAGRPOTrainer):
    """Says what is missing in a checkpoint that it loads; weights that are tied to saved ones are not."""

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        tied = getattr(self.model, "all_tied_weights_keys", {})
        missing = [key for key in load_result.missing_keys if key not in tied]
        super()._issue_warnings_after_load(load_result._replace(missing_keys=missing))


class ExactValidation(RunTrainer):
    """Evaluates on Countdown problems without a sample: `eval_dataset` has `numbers` and `target`.

    Every process computes the figures, as weights that are spread over them ask for, and the first one's count, so
    that all agree on the best step. No random number is drawn: the run is the same with and without.
    """

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """`exact_figures` of the policy as it is now, logged and returned as `eval_NAME`, and `eval_runtime`."""
        started = time.perf_counter()
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        problems = [Problem(row["numbers"], row["target"]) for row in rows]
        figures = exact_figures(self.model, self.processing_class, problems)
        figures["runtime"] = time.perf_counter() - started
        figures = {f"{metric_key_prefix}_{k}": v for k, v in broadcast_object_list([figures])[0].items()}
        Trainer.log(self, dict(figures))  # GRPO's would take what the steps since the last log have gathered
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures


class SampledValidation(RunTrainer):
    """TRL's own evaluation, and what of it is correct; the same draws every time, and training's are left alone."""

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """TRL's figures, `eval_correct`, and `eval_pass@k` of the k completions that each problem gets."""
        logs, device = deepcopy(self._logs), self.accelerator.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            torch.manual_seed(self.args.seed + self.accelerator.process_index)
            figures = super().evaluate(*args, **kwargs)
        self._logs = logs
        return figures

    def _calculate_rewards(self, *args: Any, **kwargs: Any) -> Tensor:
        table = super()._calculate_rewards(*args, **kwargs)
        if not self.model.training and self._correctness_column is not None:
            correct, samples = table[:, self._correctness_column] > 0, self.num_generations_eval
            solved = correct.view(-1, samples).any(1)
            for name, values in (("correct", correct), (f"pass@{samples}", solved)):
                self._metrics["eval"][name].append(values.float().mean().item())
        return table
