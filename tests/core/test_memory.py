"""The memory that a step is said to need, beside what a process takes for one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rft.core.batching import packed_steps, take_rows
from rft.core.lora import add_lora
from rft.core.memory import training_memory
from rft.core.recomputing import recompute_layers
from tests.core_tiny import tiny_llama
from tests.memory_peak import NUM_TOKENS, made, steps

ROOT = Path(__file__).parents[2]

torch.set_num_threads(1)

GIVEN_BACK = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_MMAP_THRESHOLD_": "65536"}


KINDS = ("full", "lora", "checkpointed")


@pytest.fixture(scope="module")
def peaks() -> dict[str, int]:
    """By kind, in processes of their own, since a used one has room left over, whose allocator keeps nothing that was freed:
    else the peak depends on how blocks happen to lie."""
    command = [sys.executable, "-m", "tests.memory_peak", *KINDS]
    places = {**os.environ, **GIVEN_BACK, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=places, capture_output=True, text=True, check=True)
    return {kind: int(peak) for kind, peak in (line.split() for line in done.stdout.splitlines())}


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_near_the_measured_peak(kind: str, peaks: dict[str, int]) -> None:
    measured = peaks[kind]
    (step,) = steps()
    needed = training_memory(made(kind), take_rows(step[0], range(8)), micro_batch_tokens=NUM_TOKENS)
    print(f"{kind}: estimated {needed.total / 1e6:.0f} MB, measured {measured / 1e6:.0f} MB")
    assert 0.75 < needed.total / measured < 1.4


def test_parts_of_it() -> None:
    (step,) = packed_steps(
        torch.arange(2049).numpy() % 28, sequence=64, batch_tokens=2048, num_steps=1, seed=0, micro_batch_tokens=2048
    )
    part, model = take_rows(step[0], range(4)), tiny_llama()
    full = training_memory(model, part, micro_batch_tokens=2048)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert (full.weights, full.gradients, full.moments) == (4 * count, 4 * count, 8 * count)
    twice = training_memory(model, part, micro_batch_tokens=4096)
    assert twice.activations == pytest.approx(2 * full.activations, rel=0.02)
    other = training_memory(model, take_rows(step[0], range(16)), micro_batch_tokens=2048)
    assert other.activations == pytest.approx(full.activations, rel=0.1)  # whatever it was measured on
    shards = training_memory(model, part, micro_batch_tokens=2048, shards=2)
    spread = shards.total - shards.activations - shards.gathered
    assert spread == pytest.approx((full.total - full.activations) / 2, abs=4)
    recompute_layers(model, on=True)
    again = training_memory(model, part, micro_batch_tokens=2048)
    assert again.activations < full.activations
    adapted = training_memory(add_lora(tiny_llama(), rank=2, alpha=4, seed=0), part, micro_batch_tokens=2048)
    assert adapted.moments < 0.5 * full.moments
