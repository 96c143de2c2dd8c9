"""A model that vLLM takes on a processor: its attention there wants heads of 32 numbers and more.

folder = served_folder(tmp_path)        # the toy task of core_tiny, a few steps trained
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from core_tiny import ARCH, settings, tiny_llama, tiny_tokenizer, toy_pairs

from rft.core.batching import example_steps
from rft.core.model import save_model
from rft.core.tokenization import encode_examples
from rft.core.training import train

# A user's turn is the toy task without its '=', which the generation prompt adds; turns are parted by ';'
CHAT_TEMPLATE = (
    "{% for turn in messages %}{{ turn['content'] }}{% if turn['role'] == 'user' %} ={% endif %}"
    "{% if not loop.last %} ; {% endif %}{% endfor %}"
)
CONTEXT = 512  # several of the blocks of 128 tokens by which vLLM remembers a prompt on a processor
ONE_HEAD = dataclasses.replace(ARCH, num_heads=1, num_kv_heads=1, context=CONTEXT)


def served_folder(folder: Path, *, num_steps: int = 30) -> Path:
    torch.set_num_threads(1)  # a thread that waits for another takes the processor from vLLM's
    model, tokenizer = tiny_llama(arch=ONE_HEAD), tiny_tokenizer()
    encoded = encode_examples(tokenizer, toy_pairs(400, seed=1), max_tokens=64)
    steps = example_steps(encoded, batch_size=32, num_steps=num_steps, seed=0, micro_batch_tokens=4096)
    train(model, steps, settings=settings(num_steps))
    tokenizer.chat_template = CHAT_TEMPLATE
    save_model(model, tokenizer, folder)
    return folder
