from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from rft.core.model import build_llama
from rft.core.number_start import COMMON_SHARE, start_numbers
from tests.core_tiny import ARCH

VALUE_SHARE = 0.4
NUMBERS = {10 + n: n for n in range(60)}
WIDE = 4_096  # many columns: averages over the random vectors are then near their expectations


def rows(seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    table = 0.25 * torch.randn(100, WIDE)
    start_numbers(table, NUMBERS, std=0.25, value_share=VALUE_SHARE)
    return table


def likeness(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(first, second, dim=-1))


def test_numbers_keep_the_size_of_all_embeddings_and_other_tokens_stay() -> None:
    torch.manual_seed(0)
    plain = 0.25 * torch.randn(100, WIDE)
    table = rows()
    others = [index for index in range(100) if index not in NUMBERS]
    assert torch.equal(table[others], plain[others])
    assert table[list(NUMBERS)].std(1).numpy() == pytest.approx(0.25, rel=0.1)


@pytest.mark.parametrize(("first", "second"), [(5, 6), (5, 15), (5, 45), (12, 32), (7, 58)])
def test_two_numbers_are_alike_by_their_common_part_and_their_distance(first: int, second: int) -> None:
    waves = [math.cos(2 * math.pi * (first - second) / period) for period in (2, 3, 5, 10, 20, 40, 80)]
    table = rows()
    expected = COMMON_SHARE + VALUE_SHARE * sum(waves) / len(waves)
    assert likeness(table[10 + first], table[10 + second]) == pytest.approx(expected, abs=0.07)
    assert abs(likeness(table[10 + first], table[3])) < 0.07


def test_only_the_named_tokens_of_a_new_model_change() -> None:
    plain, told = (
        build_llama(replace(ARCH, number_start=share), vocab_size=28, seed=3, eos_id=1, pad_id=0, numbers={8: 0, 9: 1})
        for share in (0.0, 0.4)
    )
    changed = {
        name
        for (name, before), after in zip(plain.named_parameters(), told.parameters(), strict=True)
        if not torch.equal(before, after)
    }
    assert changed == {"model.embed_tokens.weight"}
    before, after = plain.model.embed_tokens.weight, told.model.embed_tokens.weight
    assert (before != after).any(1).nonzero().flatten().tolist() == [8, 9]
