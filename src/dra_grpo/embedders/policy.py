"""`policy`: mean-pooled hidden states of the policy of this very step. No second model, and never cached by text."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from dra_grpo.completions import Ids
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
        if batch_size < 1:
            raise UsageError(f"embedder 'policy' got batch_size={batch_size}; expected 1 or more rows a forward pass")
        self.batch_size = batch_size

    @torch.no_grad()
    def encode(
        self, model: nn.Module, prompt_ids: Ids, completion_ids: Ids, backbone: nn.Module, own: Ids | None = None
    ) -> Tensor:
        """Pool the hidden states of this process's rows.

        Args:
            model: the policy as wrapped for training: the forward goes through the wrapper.
            prompt_ids: N lists of token ids.
            completion_ids: N lists of token ids; one without a token of the policy's own gives a zero row.
            backbone: the module inside `model` whose output has `last_hidden_state`.
            own: N lists of 1 for a completion token that the policy wrote and 0 for one that a tool or an environment
                did, as TRL's `tool_mask` and `env_mask`; None: it wrote them all.

        Returns:
            float32 (N, D), not yet centred: the mean is over the rows of all ranks, see `centre`.
        """
        if not completion_ids:
            return self.encode(model, [[0]], [[0]], backbone)[:0]
        device = next(model.parameters()).device
        pooled, captured = [], []
        hook = backbone.register_forward_hook(lambda module, args, output: captured.append(output.last_hidden_state))
        was_training = model.training
        model.eval()
        try:
            for start in range(0, len(completion_ids), self.batch_size):
                at = slice(start, start + self.batch_size)
                ids, attention, written = right_padded(prompt_ids[at], completion_ids[at], device, own and own[at])
                model(input_ids=ids, attention_mask=attention, use_cache=False, logits_to_keep=1)
                hidden = captured.pop()[:, -ids.shape[1] :].float()  # prompt tuning puts virtual tokens before
                weight = written[..., None].to(hidden.dtype)
                pooled.append((hidden * weight).sum(1) / weight.sum(1).clamp(min=1))
        finally:
            hook.remove()
            model.train(was_training)
        return torch.cat(pooled)

    @staticmethod
    def centre(embeddings: Tensor, scored: Tensor) -> Tensor:
        """Subtract the mean of the scored rows: (N, D) of all ranks, bool (N,) -> (N, D)."""
        return embeddings - embeddings[scored].mean(0).nan_to_num()


def right_padded(prompts: Ids, completions: Ids, device: Any, own: Ids | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Prompts and completions in one table, padded on the right so that positions need no shift.

    Args:
        prompts: N lists of token ids.
        completions: N lists of token ids.
        device: where the table goes.
        own: N lists, as long as the completions: 1 for tokens that the policy wrote; None: all of them.

    Returns:
        Ids, attention mask and bool mask of the policy's own tokens, each (N, T).

    >>> ids, attention, written = right_padded([[5], [6, 7]], [[8, 9, 8], []], "cpu", own=[[1, 0, 1], []])
    >>> ids.tolist(), attention.tolist(), written.int().tolist()
    ([[5, 8, 9, 8], [6, 7, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 0]], [[0, 1, 0, 1], [0, 0, 0, 0]])
    """
    own = own or [[1] * len(completion) for completion in completions]
    ids = [torch.tensor([*p, *c], dtype=torch.long) for p, c in zip(prompts, completions, strict=True)]
    written = [torch.tensor([*[0] * len(p), *o]).bool() for p, o in zip(prompts, own, strict=True)]
    attention = [torch.ones_like(row) for row in ids]
    ids, attention, written = (pad_sequence(part, batch_first=True).to(device) for part in (ids, attention, written))
    return ids, attention, written
