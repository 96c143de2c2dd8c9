"""Tiny models of other families than Llama, for what must hold of any causal language model."""

from __future__ import annotations

from typing import Any

import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    MptConfig,
    MptForCausalLM,
)

from tests.core_tiny import WORDS

SIZES: dict[str, Any] = {
    "vocab_size": len(WORDS) + 3,
    "bos_token_id": None,
    "eos_token_id": 1,
    "pad_token_id": 0,
}


def tiny_neox() -> GPTNeoXForCausalLM:
    torch.manual_seed(0)
    return GPTNeoXForCausalLM(
        GPTNeoXConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, **SIZES)
    )


def tiny_gpt2() -> GPT2LMHeadModel:
    """Without its usual dropout, so that two passes can be compared."""
    torch.manual_seed(0)
    dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=128, **dropout, **SIZES))


def tiny_mistral(*, window: int) -> MistralForCausalLM:
    """Attention over the last `window` tokens."""
    torch.manual_seed(0)
    return MistralForCausalLM(
        MistralConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            intermediate_size=64,
            sliding_window=window,
            **SIZES,
        )
    )


def tiny_mpt() -> MptForCausalLM:
    """Positions as a bias over the row (ALiBi), which only differences enter: they need not begin again."""
    torch.manual_seed(0)
    return MptForCausalLM(MptConfig(d_model=32, n_layers=2, n_heads=2, max_seq_len=128, **SIZES))


def tiny_bloom() -> BloomForCausalLM:
    """Makes its positions from a mask of two dimensions and takes no other."""
    torch.manual_seed(0)
    return BloomForCausalLM(BloomConfig(hidden_size=32, n_layer=2, n_head=2, **SIZES))
