"""A model that vLLM takes on a processor: its attention there wants heads of 32 numbers and more.

folder = served_folder(tmp_path)        # the toy task of core_tiny, a few steps trained
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from core_tiny import ARCH, settings, tiny_llama, tiny_tokenizer, toy_pairs

from rft.core.batching import example_steps
from rft.core.model import save_model
from rft.core.tokenization import encode_examples
from rft.core.training import train

CONTEXT = 512  # several of the blocks of 128 tokens by which vLLM remembers a prompt on a processor
ONE_HEAD = dataclasses.replace(ARCH, num_heads=1, num_kv_heads=1, context=CONTEXT)


def served_folder(folder: Path, *, num_steps: int = 60) -> Path:
    model, tokenizer = tiny_llama(arch=ONE_HEAD), tiny_tokenizer()
    encoded = encode_examples(tokenizer, toy_pairs(400, seed=1), max_tokens=64)
    steps = example_steps(encoded, batch_size=32, num_steps=num_steps, seed=0, micro_batch_tokens=4096)
    train(model, steps, settings=settings(num_steps))
    save_model(model, tokenizer, folder)
    return folder
