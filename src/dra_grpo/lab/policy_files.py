"""The base policy's character tokenizer and its untrained model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dra_grpo.errors import require

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

CHARACTERS = "0123456789+-*/=,>:"
END, END_ID = "<|endoftext|>", 0
CONTEXT = 128


def character_tokenizer() -> PreTrainedTokenizerFast:
    """One id for each character of prompts and solutions and one for the end, which also pads, on the left.

    With a padding token of its own, a sample that holds one in the middle would decode to the same text as a sample
    that does not, and p(correct) would no longer be a sum over texts.
    Built as a byte-level BPE without merges: that is what `AutoTokenizer` makes of any folder whose model is a Qwen2,
    whatever pre-tokenizer was saved there. Its unknown token has to be named, or `AutoTokenizer` adds one that the
    model has no embedding for; characters outside the vocabulary are dropped.
    """
    require("transformers", "trl", "the Countdown base policy")
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    vocabulary = {token: index for index, token in enumerate([END, *CHARACTERS])}
    tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=END,
        eos_token=END,
        unk_token=END,
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def untrained_model() -> Qwen2ForCausalLM:
    """A Qwen2 of 0.86 million parameters, float32, drawn from torch's global seed."""
    from transformers import GenerationConfig, Qwen2Config, Qwen2ForCausalLM

    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=1 + len(CHARACTERS),
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            pad_token_id=END_ID,
            eos_token_id=END_ID,
            bos_token_id=None,
        )
    )
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=64,
        pad_token_id=END_ID,
        eos_token_id=END_ID,
    )
    return model
