"""Embeddings of whole numbers that begin with what numbers have in common and with their value.

    start_numbers(model.get_input_embeddings().weight, {14: 0, 15: 1, 16: 2}, std=0.25, value_share=0.4)

A base with one random vector a number has to find out, number by number, that these tokens are of one kind (to copy them) and
how they follow each other (to add them). Embeddings of pretrained language models hold both, the value as waves of a few
periods (Zhou et al. 2024, "Pre-trained Large Language Models Use Fourier Features to Compute Addition"). The number n of a
token starts as

    std * (sqrt(0.3) common + sqrt(0.4) sum over periods p of (cos(2 pi n / p) a_p + sin(2 pi n / p) b_p) + sqrt(0.3) own)

with random vectors common, a_p, b_p and own: each entry keeps the standard deviation of all other embeddings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

COMMON_SHARE = 0.3  # of the variance
PERIODS = (2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0)


@torch.no_grad()
def start_numbers(embeddings_VD: torch.Tensor, numbers: Mapping[int, int], *, std: float, value_share: float) -> None:
    """Move the rows of the numbers' tokens, in place; their random rows stay in as `own`. Draws from torch's generator."""
    if not numbers:
        return
    ids = torch.tensor(list(numbers))
    width = embeddings_VD.shape[1]
    common_D = torch.randn(width)
    waves_ND = value_waves(torch.tensor(list(numbers.values()))) @ torch.randn(2 * len(PERIODS), width)
    own_share = 1.0 - COMMON_SHARE - value_share
    assert own_share >= 0
    shared_ND = math.sqrt(COMMON_SHARE) * common_D + math.sqrt(value_share) * waves_ND
    embeddings_VD[ids] = std * shared_ND + math.sqrt(own_share) * embeddings_VD[ids]


def value_waves(numbers_N: torch.Tensor) -> torch.Tensor:
    """Cosines and sines of each number over the periods, (N, 2 periods), of length 1."""
    phases_NP = 2 * math.pi * numbers_N[:, None].float() / torch.tensor(PERIODS)
    return torch.cat((phases_NP.cos(), phases_NP.sin()), 1) / math.sqrt(len(PERIODS))
