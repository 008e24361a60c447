"""The policy's hidden states against a loop, one row at a time and without padding."""

import pytest
import torch

from dra_grpo.embedders import PolicyEmbedder

pytest.importorskip("transformers", reason="needs the extra 'trl'")

PROMPTS = [[5], [6, 7, 8], [9, 10], [11]]
COMPLETIONS = [[12, 13, 14, 15], [16], [], [17, 18, 19]]
OWN = [[1, 0, 0, 1], [1], [], [0, 0, 0]]


@pytest.fixture
def policy():
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=32, max_position_embeddings=64, **sizes))


def looped(model, own):
    """Mean of each row's own hidden states."""
    rows = []
    for prompt, completion, mask in zip(PROMPTS, COMPLETIONS, own, strict=True):
        with torch.no_grad():
            states = model(torch.tensor([prompt + completion]), output_hidden_states=True).hidden_states[-1][0]
        states = states[len(states) - len(completion) :][torch.tensor(mask, dtype=torch.bool)]
        rows.append(states.mean(0) if len(states) else torch.zeros(16))
    return torch.stack(rows)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
@pytest.mark.parametrize("own", [None, OWN], ids=["all", "without the tool's"])
def test_equals_a_loop(policy, batch_size, own):
    policy.train()
    rows = PolicyEmbedder(batch_size).encode(policy, PROMPTS, COMPLETIONS, policy.base_model, own)
    assert policy.training
    expected = looped(policy.eval(), own or [[1] * len(completion) for completion in COMPLETIONS])
    torch.testing.assert_close(rows, expected, atol=1e-5, rtol=0)
    assert not rows.requires_grad


def test_no_rows(policy):
    assert PolicyEmbedder().encode(policy, [], [], policy.base_model, own=[]).shape == (0, 16)


@pytest.mark.parametrize("kind", ["PromptTuningConfig", "PromptEncoderConfig", "PrefixTuningConfig"])
def test_virtual_tokens_are_not_the_policy_s(policy, kind):
    peft = pytest.importorskip("peft")
    config = getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=3)
    tuned = peft.get_peft_model(policy, config).eval()
    rows = PolicyEmbedder(batch_size=3).encode(tuned, PROMPTS, COMPLETIONS, tuned.get_base_model().base_model, OWN)
    torch.testing.assert_close(rows, looped(tuned, OWN), atol=1e-5, rtol=0)
    with tuned.disable_adapter():
        assert not torch.allclose(rows, looped(tuned, OWN), atol=1e-3)
