"""Validation while it trains: what is measured, and what must fit so that the best step can be kept."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from dra_grpo.errors import UsageError, nearest
from dra_grpo.evaluation.exact import exact_probabilities, exact_results
from dra_grpo.evaluation.one_rule import GRID, choose_temperature, read
from dra_grpo.tasks.countdown import Problem
from dra_grpo.training.directory import checkpoint_step

RARE = 0.05
"""A problem that a sample at temperature 1 solves with less than this chance is rarely solved."""

EXACT = ("mean", "greedy", "pass@16", "distinct", "sampled_pass@1", "sampled_pass@16", "rarely_solved")
"""Countdown's figures that a best step can be chosen by, the default first."""

LESS_IS_BETTER = ("rarely_solved", "loss")


def exact_figures(model: Any, tokenizer: Any, problems: Sequence[Problem]) -> dict[str, float]:
    """A policy in a few numbers, none of them sampled.

    Args:
        model, tokenizer: as in `exact_probabilities`.
        problems: N problems with solutions.

    Returns:
        By the one rule (first sample greedy, the others at T*, T* chosen on these problems): `greedy`, `pass@16`,
        `mean` of pass@k over k, `distinct` correct solutions of 16, and `temperature`, T*. With every sample at
        temperature 1: `sampled_pass@1`, `sampled_pass@16`, and `rarely_solved`, the share of problems with p < .05.
    """
    accepted = exact_probabilities(model, tokenizer, problems, temperatures=GRID)
    temperature = choose_temperature(accepted)
    ruled, sampled = read(accepted, temperature), exact_results(accepted)
    figures = {
        "greedy": ruled["pass@1"],
        **{name: ruled[name] for name in ("pass@16", "mean", "distinct")},
        **{f"sampled_{name}": sampled[name] for name in ("pass@1", "pass@16")},
        "rarely_solved": (sampled["pass@1"] < RARE).double(),
    }
    return {name: values.mean().item() for name, values in figures.items()} | {"temperature": temperature}


def fitted_validation(chosen: Mapping[str, Any], given: Collection[str]) -> dict[str, Any]:
    """TRL's settings of evaluation that follow from others, so that `--load_best_model_at_end` alone is enough.

    Args:
        chosen: every setting.
        given: the names that YAML or command line set.

    Returns:
        Setting -> its value, where it was not given.

    Raises:
        UsageError: no figure of that name, or checkpoints that are not saved where they are evaluated.
    """
    fit: dict[str, Any] = {}
    exact, metric = chosen["task"] == "countdown", chosen["metric_for_best_model"]
    samples = chosen["num_generations_eval"] or chosen["num_generations"]
    keeps_best = chosen["load_best_model_at_end"] or chosen["save_strategy"] == "best"
    if keeps_best and chosen["eval_strategy"] == "no":
        fit["eval_strategy"] = "steps"
    strategy = fit.get("eval_strategy", chosen["eval_strategy"])
    if strategy == "no":
        return {"eval_on_start": False} if chosen["eval_on_start"] else {}
    if "per_device_eval_batch_size" not in given:  # whole groups, as many as a training batch has
        fit["per_device_eval_batch_size"] = samples * max(1, chosen["per_device_train_batch_size"] // samples)
    if strategy == "steps" and keeps_best:
        every = chosen["eval_steps"] or chosen["save_steps"]
        fit["eval_steps"] = every
        if chosen["save_strategy"] == "steps" and chosen["save_steps"] != every:
            raise UsageError(
                f"save_steps is {chosen['save_steps']:g} and eval_steps {every:g}, but a best step must be saved; "
                f"set --save_steps {every:g}"
            )
    if keeps_best or metric is not None or chosen["lr_scheduler_type"] in ("reduce_lr_on_plateau", "greedy"):
        one_reward = chosen["correctness_reward"] or len(chosen["reward_funcs"] or "1") == 1
        sampled = ("correct", "reward", f"pass@{samples}", "loss") if one_reward else ("reward", "loss")
        known = EXACT if exact else sampled
        name = (metric or known[0]).removeprefix("eval_")
        if name not in known and (exact or not name.startswith("rewards/")):
            raise UsageError(f"metric_for_best_model is {metric!r}; {nearest(name, known)}")
        fit["metric_for_best_model"] = name
        if chosen["greater_is_better"] is None:
            fit["greater_is_better"] = name not in LESS_IS_BETTER
    return fit


def best_step(trainer: Any) -> dict[str, Any] | None:
    """Where the weights come from that were loaded at the end; None where the last ones stay.

    Returns:
        `step`, `metric` and its `value` there, and `base`, its value before training, where that was measured.
    """
    args, state = trainer.args, trainer.state
    if not args.load_best_model_at_end or not state.best_model_checkpoint:
        return None
    metric = args.metric_for_best_model
    found = {line["step"]: line[f"eval_{metric}"] for line in state.log_history if f"eval_{metric}" in line}
    step = checkpoint_step(Path(state.best_model_checkpoint))
    return {"step": step, "metric": metric, "value": found.get(step), "base": found.get(0)}
