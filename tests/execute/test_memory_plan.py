"""What a dry run says of the memory that models ask of GPUs."""

from __future__ import annotations

import pytest
from composing import composed

from rft.core.shapes import ModelShape
from rft.execute.memory_plan import memory_text, num_weights, sampling_memory, shape_in

ROOM = 0.9 * 80 * 2**30


def of(model: str, *words: str):
    return composed(
        f"model={model}", "data=gsm8k", "train=paper", "train.dtype=bfloat16", "sampling.dtype=bfloat16", *words
    )


def test_seven_billion_parameters_on_gpus_of_80_gb():
    text = memory_text([of("llama2-7b")], gpu_gb=80)
    lines = [line for line in text.splitlines() if line.startswith("llama2-7b")]
    full, other, lora, sampling = lines[0], lines[1], lines[2], lines[-1]
    assert "full" in full
    assert full.endswith("does not fit")
    assert "processes=2 shard=true" in other
    assert other.endswith("fits")
    assert "LoRA 16" in lora
    assert any("LoRA" in line and " 1 " in line and line.endswith(" fits") for line in lines)
    assert "sampling" in sampling
    assert "13.5 and" in sampling


def test_a_setting_that_is_configured_and_fits_is_all_that_is_said():
    words = ("runtime.processes=8", "runtime.shard=true", "runtime.gradient_checkpointing=true")
    lines = memory_text([of("llama2-7b", *words)], gpu_gb=80).splitlines()
    assert [line.endswith(" fits") for line in lines if "full" in line] == [True]
    lines = memory_text([of("llama2-70b", *words)], gpu_gb=80).splitlines()
    assert any("full: no setting fits" in line for line in lines)  # 1.1 TB on 640 GB


def test_the_cache_of_a_solution_by_hand():
    """Keys and values, 2 bytes each: 64 layers' worth of 4,096 for a token of a 7B model, an eighth of its width for 70B."""
    cfg = of("llama2-7b")
    tokens = cfg.data.max_prompt_tokens + cfg.data.max_new_tokens
    small = sampling_memory(ModelShape(32, 4096, 32, 32, 11008, 32000), cfg, room=ROOM)
    assert small.gpus == 1
    assert small.cache_each == tokens * 2 * 2 * 32 * 4096
    assert small.rows == int((ROOM - 2 * 6_738_149_376) // small.cache_each)  # without norms
    large = sampling_memory(ModelShape(80, 8192, 64, 8, 28672, 32000), cfg, room=ROOM)
    assert large.gpus == 2  # 138 GB of weights
    assert large.cache_each * large.gpus == tokens * 2 * 2 * 80 * 8 * 128


@pytest.mark.parametrize("name", ["llama2-7b", "llama2-70b", "qwen2.5-0.5b", "llama3.2-1b"])
def test_the_shape_of_a_file_has_its_parameters(name: str):
    model = of(name).model
    shape = shape_in(model)
    assert shape is not None
    assert num_weights(shape) == pytest.approx(model.num_params, rel=1e-3)


def test_a_model_without_a_shape_is_said_to_have_none():
    assert "its file says no shape" in memory_text([of("pythia-1b")], gpu_gb=80)
