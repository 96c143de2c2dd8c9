"""Random generators from integer seeds: no global state is read, and `seed_torch` is the one place that sets it.

generator = numpy_generator(7, "order")      # another purpose is another, independent stream
seed_torch(7)                                # before weights are initialised
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch


def derive_seed(seed: int, purpose: str) -> int:
    """A stable 63-bit seed for one purpose of one seed: the same on every machine and in every process."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(seed: int, purpose: str) -> np.random.Generator:
    """A NumPy generator for one purpose of one seed."""
    return np.random.default_rng(derive_seed(seed, purpose))


def seed_torch(seed: int) -> None:
    """Set torch's global generator, which module initialisation and dropout read."""
    torch.manual_seed(seed)
