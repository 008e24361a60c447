"""DRA inside TRL's own trainers: a mixin over three of their methods, no fork.

TRL calls `_calculate_rewards` with this process's rows and gets back the rewards of all processes, in rank order, in
contiguous blocks of `num_generations` rows a prompt: only there are groups whole when they span processes. The mixin
adds one column to that table, R̃ − R. TRL's own sum over columns is then the adjusted reward, every other column stays
the true raw one, and nothing else of the trainer has to know. Advantage-stage methods replace TRL's advantages.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dra_grpo.completions import part, policy_text
from dra_grpo.config import DRAConfig
from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.embedders import Embedder, as_embedder
from dra_grpo.embedders.policy import PolicyEmbedder, right_padded
from dra_grpo.engines.checks import check_config, check_hooks, correctness_column
from dra_grpo.engines.diagnostics import distinct_share, step_figures, text_keys
from dra_grpo.errors import UsageError, require
from dra_grpo.methods import METHODS
from dra_grpo.registry import load_path

require("trl", "trl", "the TRL engine")

from accelerate.utils import gather_object  # noqa: E402
from trl import GRPOTrainer, RLOOTrainer  # noqa: E402

HOOKS = {
    "_calculate_rewards": ["inputs", "prompts", "completions", "completion_ids_list"],
    "_generate_and_score_completions": ["inputs"],
    "_generate": ["prompts"],
}
"""The trainer's methods that are overridden, with the parameters they must have."""


TRL_EPS = 1e-4
"""What TRL adds to σ."""


def dra_adjustment(completions: Sequence[Any], **columns: Any) -> list[None]:
    """Holds the adjustment's place among the reward functions; None, so that TRL still warns of unscorable rows."""
    return [None] * len(completions)


_Trainer: Any = object
"""What the mixin is mixed into: for a type checker, anything."""


class DiversityAwareMixin(_Trainer):
    """Adjusts rewards (or advantages) for diversity in a TRL trainer: `class Mine(DiversityAwareMixin, GRPOTrainer)`.

    Args:
        *args, **kwargs: the trainer's own.
        dra: what to adjust and how.
        embedder: an embedder object in place of `dra.embedder`.

    Attributes:
        adjustment: the rollouts of the last training batch, of all processes, and what the method made of them.

    Raises:
        UsageError: a setting that cannot work, before anything is trained.
        RuntimeError: a TRL whose hooks are not the ones this was written for.
    """

    def __init__(self, *args: Any, dra: DRAConfig | None = None, embedder: Embedder | None = None, **kwargs: Any):
        check_hooks(super(), HOOKS)
        self._dra = dra or DRAConfig()
        check_config(self._dra)
        self._method = METHODS.find(self._dra.method)
        self._options = dict(self._dra.method_options)
        self._needs = self._method.needs(**self._options)
        if self._method.stage == "advantage" and not isinstance(self, GRPOTrainer):
            raise UsageError(
                f"method {self._method.name!r} replaces GRPO's advantages and {type(self).__name__} has its own; "
                "use a GRPO trainer, or a method of the reward stage"
            )
        super().__init__(*args, **kwargs)
        if getattr(self, "multi_objective_aggregation", "sum_then_normalize") != "sum_then_normalize":
            raise UsageError(
                f"multi_objective_aggregation={self.multi_objective_aggregation!r} normalises each reward function by "
                "itself, which leaves no total reward to adjust; use 'sum_then_normalize'"
            )
        self._method.check(group_size=self.num_generations, **self._options)
        self._correctness_column = correctness_column(self.reward_func_names, self._dra.correctness_reward)
        self._options |= self._trainer_options()
        self._embedder = self._build_embedder(embedder) if "embeddings" in self._needs else None
        self._answer = load_path(self._dra.answer) if self._dra.answer else None
        self.adjustment: tuple[Rollouts, Adjusted] | None = None
        self._prompt_ids: list[list[int]] = []
        self._sampling_logprobs: list[list[float]] | None = None
        # New lists and a new tensor: the caller's reward functions and `args.reward_weights` stay as they were.
        self.reward_funcs = [*self.reward_funcs, dra_adjustment]
        self.reward_func_names = [*self.reward_func_names, dra_adjustment.__name__]
        self.reward_processing_classes = [*self.reward_processing_classes, None]
        self.reward_weights = torch.cat([self.reward_weights, torch.ones(1)])

    def _trainer_options(self) -> dict[str, Any]:
        """The method's options that the trainer decides: its normalisation."""
        known = self._method.options
        scale = {"scale": getattr(self, "scale_rewards", None), "eps": TRL_EPS}
        return {k: v for k, v in scale.items() if k in known and k not in self._options and v is not None}

    def _build_embedder(self, embedder: Embedder | None) -> Embedder | PolicyEmbedder:
        if embedder is not None:
            return as_embedder(embedder)
        options = dict(self._dra.embedder_options)
        if self._dra.embedder == PolicyEmbedder.name:
            options.setdefault("batch_size", self.args.per_device_train_batch_size)
        return as_embedder(self._dra.embedder, options, self.accelerator.device)

    def _generate(self, prompts: list) -> tuple:
        generated = super()._generate(prompts)
        self._prompt_ids = generated[0]
        # GRPO's tuple carries the sampler's log-probabilities (vLLM) at index 4; RLOO's has three entries.
        self._sampling_logprobs = generated[4] if len(generated) > 4 else None
        return generated

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        table = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        self.adjustment = None
        if not self.model.training:
            return table
        started = time.perf_counter()
        raw = (table[:, :-1] * self.reward_weights[:-1].to(table.device)).nansum(1)
        raw[table.isnan().all(1)] = torch.nan
        texts = [policy_text(completion) for completion in completions]
        rollouts = Rollouts(
            raw,
            torch.arange(len(raw), device=raw.device) // self.num_generations,
            self._embeddings(texts, completion_ids_list, ~raw.isnan(), inputs),
            table[:, self._correctness_column] > 0,
            self._logprobs(completion_ids_list, inputs) if "logprobs" in self._needs else None,
            gather_object([self._answer(text) for text in texts]) if self._answer else None,
            gather_object(texts) if "texts" in self._needs else None,
        )
        moving = {"step": self.state.global_step} if "step" in self._method.options else {}
        adjusted = self._method(rollouts, **{**moving, **self._options})
        table[:, -1] = adjusted.rewards.to(table.dtype) - raw
        self.adjustment = rollouts, adjusted
        keys = self.accelerator.gather(text_keys(texts).to(raw.device))
        figures = {**step_figures(rollouts, adjusted), "distinct_completions": distinct_share(rollouts.index, keys)}
        if isinstance(self._embedder, Embedder):
            figures["truncated"] = self.accelerator.gather(self._truncated.float().to(raw.device)).mean().item()
        figures["seconds"] = time.perf_counter() - started
        for name, value in figures.items():
            self._metrics["train"][f"dra/{name}"].append(value)
        return table

    def _generate_and_score_completions(self, inputs):
        output = super()._generate_and_score_completions(inputs)
        replaced = self._replaced_advantages()
        if replaced is not None:
            everyone = replaced.to(output["advantages"])
            rows = len(output["advantages"])
            start = self.accelerator.process_index * rows
            output["advantages"] = everyone[start : start + rows]
            for _ in range(len(everyone)):
                self._logs["advantages"].pop()
            self._logs["advantages"].extend(everyone.tolist())
        return output

    def _replaced_advantages(self) -> Tensor | None:
        """Advantages (N,) of all processes in place of TRL's: the method's own, or TRL's with σ floored.

        RLOO divides by no group's σ, so a floor has nothing to act on there.
        """
        if self.adjustment is None:
            return None
        _, adjusted = self.adjustment
        scale: Any = getattr(self, "scale_rewards", "none")
        if adjusted.stage == "reward" and (not adjusted.std_floor or scale == "none"):
            return None
        return adjusted.to_advantages(scale, TRL_EPS)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        metrics = self._metrics["train"]
        if self.model.training and metrics.get("dra/seconds") and sum(metrics.get("step_time", [])):
            metrics["dra/share_of_step"] = [sum(metrics["dra/seconds"]) / sum(metrics["step_time"])]
        super().log(logs, start_time)

    def _embeddings(
        self, texts: list[str], completion_ids: list[list[int]], scored: Tensor, inputs: list[dict]
    ) -> Tensor | None:
        """(N, D) of all processes, in rank order; each process embeds its own rows."""
        if self._embedder is None:
            return None
        if isinstance(self._embedder, PolicyEmbedder):
            _refuse_images(inputs, "embedder 'policy'")
            backbone = _backbone(self.accelerator.unwrap_model(self.model))
            local = self._embedder.encode(self.model, self._prompt_ids, completion_ids, backbone)
            return PolicyEmbedder.centre(self.accelerator.gather(local), scored)
        local, self._truncated = self._embedder.embed([part(text, self._dra.embed) for text in texts])
        return self.accelerator.gather(local.to(self.accelerator.device))

    def _logprobs(self, completion_ids: list[list[int]], inputs: list[dict]) -> Tensor:
        """(N,) mean token log-probabilities of all processes: the sampler's where it gives them, else one forward."""
        device = self.accelerator.device
        if self._sampling_logprobs is not None:
            return self.accelerator.gather(torch.tensor([*map(_mean_known, self._sampling_logprobs)], device=device))
        _refuse_images(inputs, f"method {self._method.name!r}")
        ids, attention, completion = right_padded(self._prompt_ids, completion_ids, device)
        with torch.no_grad():
            logps, *_ = self._get_per_token_logps_and_entropies(
                self.model, ids, attention, ids.shape[1] - 1, self.args.per_device_train_batch_size
            )
        completion = completion[:, 1:]
        return self.accelerator.gather((logps * completion).sum(1) / completion.sum(1).clamp(min=1))


class DRAGRPOTrainer(DiversityAwareMixin, GRPOTrainer):
    """TRL's `GRPOTrainer` with diversity-aware adjustment; Dr.GRPO is `loss_type="dr_grpo", scale_rewards="none"`."""


class DRARLOOTrainer(DiversityAwareMixin, RLOOTrainer):
    """TRL's `RLOOTrainer` with diversity-aware adjustment of its rewards."""


def _mean_known(logprobs: Sequence[float | None]) -> float:
    """Mean over tokens; None stands for one that vLLM could not score."""
    known = [value for value in logprobs if value is not None]
    return sum(known) / max(len(known), 1)


def _refuse_images(inputs: list[dict], what: str) -> None:
    if any("image" in row or "images" in row for row in inputs):
        raise UsageError(
            f"{what} runs the policy on token ids alone and these prompts have images; use a text embedder"
        )


def _backbone(model: Any) -> Any:
    """The module whose output is the last hidden state, below a LoRA wrapper where there is one."""
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    return model.base_model
