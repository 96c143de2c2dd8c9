"""The memory that a step is said to need, beside what a process takes for one."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import torch

from rft.config import ArchConfig
from rft.core.batching import packed_steps, take_rows
from rft.core.lora import add_lora
from rft.core.memory import training_memory
from rft.core.recomputing import recompute_layers
from rft.core.training import train
from rft.records import read_json, write_json
from tests.core_tiny import settings, tiny_llama
from tests.forking import in_child

torch.set_num_threads(1)

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


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * resource.getpagesize()


TOO_LOW = pytest.mark.xfail(reason="too low through Hugging Face's layers: NOTES.md, 2026-11-28", strict=False)


@pytest.mark.slow  # of a process that has done nothing else: a used one has room left over
@pytest.mark.parametrize(
    "kind", ["full", pytest.param("lora", marks=TOO_LOW), pytest.param("checkpointed", marks=TOO_LOW)]
)
def test_the_estimate_is_near_the_measured_peak(kind: str, tmp_path: Path) -> None:
    tokens = torch.arange(NUM_TOKENS + 1).numpy() % 28
    how: dict[str, Any] = {"sequence": 64, "batch_tokens": NUM_TOKENS, "num_steps": 1, "seed": 0}
    how |= {"micro_batch_tokens": NUM_TOKENS}

    def made() -> Any:
        model = tiny_llama(arch=ARCH)
        if kind == "checkpointed":
            recompute_layers(model, on=True)
        return add_lora(model, rank=4, alpha=8, seed=0) if kind == "lora" else model

    def work() -> None:
        before = resident_bytes()
        train(made(), packed_steps(tokens, **how), settings=settings(1))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        write_json(tmp_path / "found.json", {"bytes": peak - before})

    made()  # what it imports is not counted
    assert in_child(work) == 0
    (step,) = packed_steps(tokens, **how)
    needed = training_memory(made(), take_rows(step[0], range(8)), micro_batch_tokens=NUM_TOKENS)
    measured = read_json(tmp_path / "found.json")["bytes"]
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
    assert shards.total - shards.activations == pytest.approx((full.total - full.activations) / 2, abs=4)
    recompute_layers(model, on=True)
    again = training_memory(model, part, micro_batch_tokens=2048)
    assert again.activations < full.activations
    adapted = training_memory(add_lora(tiny_llama(), rank=2, alpha=4, seed=0), part, micro_batch_tokens=2048)
    assert adapted.moments < 0.5 * full.moments
