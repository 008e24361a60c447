"""`policy`: mean-pooled hidden states of the policy of this very step. No second model, and never cached by text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dra_grpo.errors import UsageError


class PolicyEmbedder:
    """x_i = mean over the completion's tokens of the last hidden state, minus the batch mean.

    Not a text encoder: it needs prompts and token ids and the model as it is now. Every rank runs the same number of
    forwards when it holds the same number of rows, as FSDP and ZeRO-3 require.

    Args:
        batch_size: rows a forward pass.

    Raises:
        UsageError: `batch_size` is below 1.
    """

    name = "policy"

    def __init__(self, batch_size: int = 64):
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UsageError(f"batch_size is {batch_size!r}; expected at least 1")
        self.batch_size = batch_size

    @torch.no_grad()
    def encode(
        self,
        model: nn.Module,
        prompt_ids: Sequence[Sequence[int]],
        completion_ids: Sequence[Sequence[int]],
        backbone: nn.Module | None = None,
    ) -> Tensor:
        """Pool the hidden states of this process's rows.

        Args:
            model: the policy as wrapped for training: the forward goes through the wrapper.
            prompt_ids: N lists of token ids.
            completion_ids: N lists of token ids; an empty one gives a zero row.
            backbone: the module inside `model` whose output has `last_hidden_state`; None: `model.base_model`.

        Returns:
            float32 (N, D), not yet centred: the mean is over the rows of all ranks, see `centre`.
        """
        device = next(model.parameters()).device
        pooled, captured = [], []
        hooked: Any = model.base_model if backbone is None else backbone
        hook = hooked.register_forward_hook(lambda module, args, output: captured.append(output.last_hidden_state))
        was_training = model.training
        model.eval()
        try:
            for start in range(0, len(completion_ids), self.batch_size):
                rows = slice(start, start + self.batch_size)
                ids, attention, completion = right_padded(prompt_ids[rows], completion_ids[rows], device)
                model(input_ids=ids, attention_mask=attention, use_cache=False, logits_to_keep=1)
                hidden = captured.pop().float()
                weight = completion[..., None].to(hidden.dtype)
                pooled.append((hidden * weight).sum(1) / weight.sum(1).clamp(min=1))
        finally:
            hook.remove()
            model.train(was_training)
        return torch.cat(pooled)

    @staticmethod
    def centre(embeddings: Tensor, scored: Tensor) -> Tensor:
        """Subtract the mean of the scored rows: (N, D) of all ranks, bool (N,) -> (N, D)."""
        mean = embeddings[scored].mean(0) if scored.any() else embeddings.new_zeros(embeddings.shape[1])
        return embeddings - mean


def right_padded(
    prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], device: Any
) -> tuple[Tensor, Tensor, Tensor]:
    """Ids, attention mask and completion mask, each (N, T), padded on the right so that positions need no shift."""
    length = max(len(p) + len(c) for p, c in zip(prompts, completions, strict=True))
    ids = torch.zeros(len(prompts), length, dtype=torch.long)
    attention = torch.zeros_like(ids)
    completion = torch.zeros_like(ids, dtype=torch.bool)
    for row, (p, c) in enumerate(zip(prompts, completions, strict=True)):
        ids[row, : len(p) + len(c)] = torch.tensor([*p, *c], dtype=torch.long)
        attention[row, : len(p) + len(c)] = 1
        completion[row, len(p) : len(p) + len(c)] = True
    return ids.to(device), attention.to(device), completion.to(device)
