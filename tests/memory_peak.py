"""What a process that has done little else takes for a training step: python -m tests.memory_peak full lora checkpointed

Each kind in a fork of its own, so that the libraries are loaded once.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rft.config import ArchConfig
from rft.core.batching import packed_steps
from rft.core.lora import add_lora
from rft.core.recomputing import recompute_layers
from rft.core.training import train
from tests.core_tiny import settings, tiny_llama
from tests.forking import in_child

ARCH = ArchConfig(
    num_layers=4,
    width=256,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=512,
    context=128,
    init_std=0.02,
    embedding_std=0.02,
    rope_theta=200.0,
)
NUM_TOKENS = 4096


def steps(num_tokens: int = NUM_TOKENS) -> Any:
    """The one step."""
    tokens = torch.arange(num_tokens + 1).numpy() % 28
    how: dict[str, Any] = {"sequence": 64, "batch_tokens": num_tokens, "num_steps": 1, "seed": 0}
    return packed_steps(tokens, micro_batch_tokens=num_tokens, **how)


def made(kind: str) -> Any:
    """The model that takes it."""
    model = tiny_llama(arch=ARCH)
    if kind == "checkpointed":
        recompute_layers(model, on=True)
    return add_lora(model, rank=4, alpha=8, seed=0) if kind == "lora" else model


def own_bytes(field: str) -> int:
    """Of this process: `VmRSS` is what it has now, `VmHWM` the most it has had. (getrusage's `ru_maxrss` is no less than what
    the process that started it had, since exec keeps the peak of the copy that came before.)"""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def measure(kind: str) -> None:
    """Print the kind and the bytes."""
    torch.set_num_threads(1)
    train(made(kind), steps(64), settings=settings(1))  # what is imported on the way is not counted
    before = own_bytes("VmRSS")
    train(made(kind), steps(), settings=settings(1))
    print(kind, own_bytes("VmHWM") - before, flush=True)


if __name__ == "__main__":
    assert [in_child(partial(measure, kind)) for kind in sys.argv[1:]] == [0] * len(sys.argv[1:])
