"""A tiny random reward model that reads any text byte by byte."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from byte_model import byte_tokenizer
from transformers import GPT2Config, GPT2ForSequenceClassification, LlamaConfig, LlamaForSequenceClassification


def write_reward_model(folder: Path, *, seed: int = 0, num_labels: int = 1, learned_positions: bool = False) -> Path:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    torch.manual_seed(seed)
    if learned_positions:
        small = GPT2Config(
            vocab_size=len(tokenizer),
            n_embd=16,
            n_layer=1,
            n_head=2,
            n_positions=512,
            num_labels=num_labels,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.5,
        )
        GPT2ForSequenceClassification(small).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        _pad_left(folder / "tokenizer_config.json")
        return folder
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
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _pad_left(path: Path) -> None:
    """As tokenizers of generating models are set."""
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left"}))
