"""A tiny random reward model that reads any text byte by byte."""

from __future__ import annotations

from pathlib import Path

import torch
from byte_model import byte_tokenizer
from transformers import LlamaConfig, LlamaForSequenceClassification


def write_reward_model(folder: Path, *, seed: int = 0, num_labels: int = 1) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=2048,
        num_labels=num_labels,
        pad_token_id=tokenizer.pad_token_id,
        initializer_range=0.5,
    )
    torch.manual_seed(seed)
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
