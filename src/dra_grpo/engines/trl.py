"""DRA inside TRL's own trainers: a mixin over three of their methods, no fork.

`_calculate_rewards` is called with this process's rows and returns the rewards of all processes, in rank order, in
contiguous blocks of `num_generations` rows a prompt: only there are groups whole when they span processes. The mixin
takes the adjustment from there and puts its advantages in the place of TRL's. The table of rewards, and whatever TRL
logs of it, stays the raw one; reward functions, their names and their weights are the user's alone.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dra_grpo.adjuster import Adjuster, correctness_column
from dra_grpo.completions import has_images, policy_text
from dra_grpo.config import DRAConfig
from dra_grpo.core import Adjusted, Rollouts, grpo_advantages
from dra_grpo.embedders.policy import PolicyEmbedder, right_padded
from dra_grpo.engines.diagnostics import step_diagnostics
from dra_grpo.engines.trl_internals import EPS, Generated, check_attributes, check_hooks
from dra_grpo.errors import UsageError, require

require("trl", "trl", "the TRL engine")

from accelerate.utils import gather_object  # noqa: E402
from trl import GRPOTrainer, RLOOTrainer  # noqa: E402
from trl.trainer.utils import nanstd  # noqa: E402

_Trainer: Any = object
"""What the mixin is mixed into: for a type checker, anything."""


class DiversityAwareMixin(_Trainer):
    """Adjusts rewards (or advantages) for diversity in a TRL trainer: `class Mine(DiversityAwareMixin, GRPOTrainer)`.

    Args:
        *args, **kwargs: the trainer's own.
        dra: what to adjust and how.
        embedder: an embedder, or a function from N texts to (N, D) rows, in place of `dra.embedder`.

    Attributes:
        adjustment: the rollouts of the last training batch, of all processes, and what the method made of them.

    Raises:
        UsageError: a setting that cannot work, before anything is trained.
        RuntimeError: a trainer whose hooks or advantages are not the ones this was written for.
    """

    def __init__(self, *args: Any, dra: DRAConfig | None = None, embedder: Any = None, **kwargs: Any):
        check_hooks(super())
        dra = dra or DRAConfig()
        method = Adjuster.of(dra, embedder, load=False).method  # what cannot work is said before a model is loaded
        if method.stage == "advantage" and not isinstance(self, GRPOTrainer):
            found = f"method {method.name!r} replaces GRPO's advantages and {type(self).__name__} has its own"
            raise UsageError(f"{found}; use a GRPO trainer, or a method of the reward stage")
        super().__init__(*args, **kwargs)
        check_attributes(self)
        if (chosen := getattr(self, "multi_objective_aggregation", "sum_then_normalize")) != "sum_then_normalize":
            found = f"multi_objective_aggregation={chosen!r} normalises each reward function by itself"
            raise UsageError(f"{found}, which leaves no total reward to adjust; use 'sum_then_normalize'")
        if embedder is None and dra.embedder == PolicyEmbedder.name:
            size = {"batch_size": self.args.per_device_train_batch_size}
            dra = replace(dra, embedder_options=size | dra.embedder_options)
        self._adjuster = Adjuster.of(
            dra,
            embedder,
            group_size=self.num_generations,
            # Without it every rank of a machine would put its encoder on the first GPU.
            device=str(self.accelerator.device),
            scale=getattr(self, "scale_rewards", None),
            eps=EPS,
        )
        named, is_read = dra.correctness_reward, self._adjuster.reads_correct
        self._correctness_column = correctness_column(self.reward_func_names, named, is_read)
        self.adjustment: tuple[Rollouts, Adjusted] | None = None
        self._generated: Generated
        self._batches = (-1, 0)
        self._same_advantages_seen = False

    def _generate(self, prompts: list) -> tuple:
        returned = super()._generate(prompts)
        self._generated = Generated.of(returned)
        return returned

    def _calculate_rewards(self, inputs, prompts, completions, completion_ids_list):
        table = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if not self.model.training:
            return table
        started = time.perf_counter()
        infinite = table.isinf().any(1)
        raw = (table * self.reward_weights.to(table.device)).nansum(1)
        raw = raw.masked_fill(table.isnan().all(1), torch.nan).masked_fill(infinite, torch.inf)
        column = self._correctness_column
        texts = [policy_text(completion) for completion in completions]
        answers = self._adjuster.answers_of(texts)
        embeddings, truncated = self._embedded(completions, raw.isfinite(), [inputs, completions])
        logprobs, lengths = None, None
        if {"logprobs", "lengths"} & set(self._adjuster.needs):
            logprobs, lengths = self._logprobs([inputs, completions])
        rollouts = self._adjuster.rollouts(
            raw,
            torch.arange(len(raw), device=raw.device) // self.num_generations,
            embeddings=embeddings,
            correct=None if column is None else table[:, column] > 0,
            logprobs=logprobs,
            lengths=lengths,
            answers=answers and gather_object(answers),
            texts=gather_object(texts),
        )
        adjusted = self._adjuster.adjust(rollouts, self._next_draw())
        self.adjustment = rollouts, adjusted
        measured = {"truncated": truncated, "seconds": time.perf_counter() - started}
        for name, value in (step_diagnostics(rollouts, adjusted) | measured).items():
            if value is not None:
                self._metrics["train"][f"dra/{name}"].append(value)
        return table.masked_fill(infinite[:, None], torch.nan)

    def _generate_and_score_completions(self, inputs):
        if not self.model.training:
            return super()._generate_and_score_completions(inputs)
        normalize, is_rloo = getattr(self, "normalize_advantages", False), isinstance(self, RLOOTrainer)
        self.normalize_advantages = False  # RLOO's: what is adjusted is the difference, before it
        try:
            output = super()._generate_and_score_completions(inputs)
        finally:
            self.normalize_advantages = normalize
        everyone = self._rloo_advantages(output["advantages"], normalize) if is_rloo else self._advantages(output)
        if everyone is not None:
            rows = len(output["advantages"])
            start = self.accelerator.process_index * rows
            output["advantages"] = everyone[start : start + rows]
            for _ in range(len(everyone)):
                self._logs["advantages"].pop()
            self._logs["advantages"].extend(everyone.tolist())
        return output

    def _advantages(self, output: dict[str, Any]) -> Tensor | None:
        """GRPO's advantages (N,) of all processes after the adjustment; None where it changed nothing."""
        assert self.adjustment is not None
        rollouts, adjusted = self.adjustment
        unchanged = torch.equal(adjusted.rewards.nan_to_num(), rollouts.precise_rewards.nan_to_num())
        if adjusted.stage == "reward" and unchanged and not adjusted.std_floor:
            return None
        found = self.accelerator.gather(output["advantages"])
        if not self._same_advantages_seen:
            expected = grpo_advantages(rollouts.precise_rewards, rollouts.groups, self.scale_rewards, EPS).to(found)
            if not torch.allclose(found, expected, rtol=1e-3, atol=1e-3):
                rows = f"(row 0: {found[0]:.4g}, GRPO's {expected[0]:.4g}), which the adjustment would overwrite"
                kind = f"{type(self).__name__} computes advantages that are not GRPO's"
                raise RuntimeError(f"{kind} {rows}; wrap its reward function instead")
            self._same_advantages_seen = True
        return adjusted.to_advantages(self.scale_rewards, EPS).to(found)

    def _rloo_advantages(self, local: Tensor, normalize: bool) -> Tensor:
        """RLOO's advantages (N,) of all processes: TRL's, which hold the KL penalty, and what the adjustment adds."""
        assert self.adjustment is not None
        rollouts, adjusted = self.adjustment
        everyone = self.accelerator.gather(local)
        low, high = self.reward_clip_range or (-math.inf, math.inf)
        change = adjusted.rewards.clamp(low, high) - rollouts.precise_rewards.clamp(low, high)
        index, scored = rollouts.index, rollouts.scored
        known = torch.where(scored, change, 0.0)
        others = index.sum(scored.to(known.dtype))[index.group] - 1
        baseline = (index.sum(known)[index.group] - known) / others.clamp(min=1)
        everyone = (everyone + (known - baseline).to(everyone)).masked_fill(~scored | (others < 1), torch.nan)
        if normalize:
            everyone = (everyone - everyone.nanmean()) / (nanstd(everyone) + EPS)
        return everyone.nan_to_num(nan=0.0)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        metrics = self._metrics["train"]
        if self.model.training and metrics.get("dra/seconds") and sum(metrics.get("step_time", [])):
            metrics["dra/share_of_step"] = [sum(metrics["dra/seconds"]) / sum(metrics["step_time"])]
        super().log(logs, start_time)

    def _next_draw(self) -> int:
        """Which generation of the run this is; of step s the first is s times the generations a step may have."""
        step, index = self.state.global_step, self._batches[1] + 1
        self._batches = (step, index if step == self._batches[0] else 0)
        a_step = math.ceil(self.args.gradient_accumulation_steps / self.args.steps_per_generation)
        return step * a_step + self._batches[1]

    def _embedded(self, completions: list, scored: Tensor, shown: list) -> tuple[Tensor | None, float | None]:
        """Rows (N, D) of all processes, in rank order, and the share of texts that were cut; each embeds its own."""
        embedder, generated = self._adjuster.embedder, self._generated
        if embedder is None:
            return None, None
        if isinstance(embedder, PolicyEmbedder):
            _refuse_images(shown, "embedder 'policy'")
            backbone = _backbone(self.accelerator.unwrap_model(self.model))
            ids = generated.prompt_ids, generated.completion_ids
            local = embedder.encode(self.model, *ids, backbone, generated.own)
            return PolicyEmbedder.centre(self.accelerator.gather(local), scored), None
        device = self.accelerator.device
        rows, truncated = self._adjuster.embed(completions)
        share = self.accelerator.gather(truncated.float().to(device)).mean().item()
        return self.accelerator.gather(rows.to(device)), share

    def _logprobs(self, shown: list) -> tuple[Tensor, Tensor]:
        """Log-probability of each completion, summed over the policy's own tokens, and their number, of all processes.

        The sampler's, where it gives them for every completion; else those of one forward pass. Both are (N,), and of
        the policy at the temperature that the trainer samples at.
        """
        generated, device = self._generated, self.accelerator.device
        lengths = self.accelerator.gather(torch.tensor([sum(own) for own in generated.own], device=device))
        if generated.logprobs is not None:
            sums = [_sum_known(values, own) for values, own in zip(generated.logprobs, generated.own, strict=True)]
            everyone = self.accelerator.gather(torch.tensor(sums, device=device))
            if not everyone.isnan().any():
                return everyone, lengths
        _refuse_images(shown, f"method {self._adjuster.method.name!r}")
        ids, attention, own = right_padded(generated.prompt_ids, generated.completion_ids, device, generated.own)
        with torch.no_grad():
            logps, *_ = self._get_per_token_logps_and_entropies(
                self.model, ids, attention, ids.shape[1] - 1, self.args.per_device_train_batch_size
            )
        return self.accelerator.gather((logps * own[:, 1:]).sum(1)), lengths


class DRAGRPOTrainer(DiversityAwareMixin, GRPOTrainer):
    """TRL's `GRPOTrainer` with diversity-aware adjustment; Dr.GRPO is `loss_type="dr_grpo", scale_rewards="none"`."""


class DRARLOOTrainer(DiversityAwareMixin, RLOOTrainer):
    """TRL's `RLOOTrainer` with diversity-aware adjustment of its rewards."""


def _sum_known(logprobs: Sequence[float | None], own: Sequence[int]) -> float:
    """Sum over the policy's own tokens; one that the sampler could not score, None or NaN, counts as their mean."""
    known = [v for v, mine in zip(logprobs, own, strict=True) if mine and v is not None and not math.isnan(v)]
    return sum(known) / len(known) * sum(own) if known else (math.nan if any(own) else 0.0)


def _refuse_images(shown: list, what: str) -> None:
    """Raise where prompts, or tools within completions, show images."""
    if has_images(shown):
        raise UsageError(f"{what} runs the policy on token ids alone and there are images; use a text embedder")


def _backbone(model: Any) -> Any:
    """The module whose output is the last hidden state, below a LoRA wrapper where there is one."""
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    return model.base_model
