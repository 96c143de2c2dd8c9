"""Norms as one kernel while a model trains on a GPU: transformers writes them as six, each a trip to memory.

    with fused_norms(model):
        train...                          # same function, one read and one write

Only norms known to be x / rms(x) * weight; anything else stays as it is. On processors nothing is replaced.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from rft.core.model import Model

PLAIN_NORMS = frozenset(f"{family}RMSNorm" for family in ("Llama", "Mistral", "Qwen2", "Qwen3", "SmolLM3"))


@contextmanager
def fused_norms(model: Model) -> Iterator[None]:
    """Replace what the norms compute by torch's kernel, on CUDA, until the block ends."""
    norms = plain_norms(model) if model.device.type == "cuda" else []
    for norm in norms:
        norm.forward = functools.partial(fused_norm, norm)
    try:
        yield
    finally:
        for norm in norms:
            del norm.forward  # the class's own is seen again


def plain_norms(model: Model) -> list[Any]:
    """The modules that `fused_norm` computes."""
    return [module for module in model.modules() if type(module).__name__ in PLAIN_NORMS]


def fused_norm(norm: Any, x: torch.Tensor) -> torch.Tensor:
    """What the module computes."""
    return F.rms_norm(x, norm.weight.shape, norm.weight, norm.variance_epsilon)
