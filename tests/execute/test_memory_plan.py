"""What a dry run says of the memory that models ask of GPUs."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from composing import composed
from reward_model import write_reward_model
from torch.utils._python_dispatch import TorchDispatchMode

from rft.config import StudyConfig
from rft.core.forward import target_losses
from rft.core.shapes import ModelShape, model_of
from rft.execute.memory_plan import memory_text, num_weights, reading_memory, sampling_memory, shape_in

ROOM = 0.9 * 80 * 2**30


def of(model: str, *words: str):
    return composed(
        f"model={model}", "data=gsm8k", "train=paper", "train.dtype=bfloat16", "sampling.dtype=bfloat16", *words
    )


def test_seven_billion_parameters_on_gpus_of_80_gb():
    text = memory_text([of("llama2-7b")], gpu_gb=80)
    lines = [line for line in text.splitlines() if line.startswith("llama2-7b")]
    full, other, lora = lines[:3]
    sampling = next(line for line in lines if "sampling" in line)
    assert "full" in full
    assert full.endswith("does not fit")
    assert "processes=2 shard=true" in other
    assert other.endswith("fits")
    assert "LoRA 16" in lora
    assert any("LoRA" in line and " 1 " in line and line.endswith(" fits") for line in lines)
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


def reading_lines(*cfgs: StudyConfig) -> list[str]:
    return [line for line in memory_text(cfgs, gpu_gb=80).splitlines() if " stage " in line]


@pytest.mark.parametrize(
    ("model", "dtype", "told"),
    [
        ("llama-7b", "float32", ["fits"]),
        ("llama-33b", "float32", ["does not fit", "fits"]),  # 130 GB, then 65 GB in bfloat16
        ("llama-33b", "bfloat16", ["fits"]),
        ("llama2-70b", "bfloat16", ["does not fit", "no type of weights fits, and it reads a model on one GPU"]),
    ],
)
def test_a_measured_loss_that_does_not_fit_is_said_before_anything_runs(model: str, dtype: str, told: list[str]):
    lines = reading_lines(of(model, f"loss.dtype={dtype}"))
    assert all(line.startswith(model) and "stage loss" in line for line in lines)
    assert len(lines) == len(told)
    assert all(line.endswith(f" {end}") for line, end in zip(lines, told, strict=True)), lines
    assert f"loss.dtype={dtype}" in lines[0]


def test_models_that_score_paths_for_a_choice_are_counted_with_their_reward_model(tmp_path: Path):
    folder = write_reward_model(tmp_path / "reward")
    likely = of("llama-7b", "select.choose=likeliest", "select.dtype=bfloat16")
    reward = of("llama-7b", "select.choose=reward", f"select.reward_model={folder}")
    lines = reading_lines(of("llama-7b"), likely, reward)
    assert [
        ("stage loss", "stage scores", "stage scores", "stage choose")[n] in line for n, line in enumerate(lines)
    ] == [True] * 4
    assert "select.dtype=bfloat16" in lines[1]
    assert "select.dtype=float32" in lines[2]
    assert lines[3].startswith("reward")


class Live(TorchDispatchMode):
    """The most bytes that tensors made meanwhile held at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor) and (storage := one.untyped_storage())._cdata not in self.known:
                self.known.add(storage._cdata)
                self.now += storage.nbytes()
                weakref.finalize(storage, self._forget, storage._cdata, storage.nbytes())
        self.most = max(self.most, self.now)
        return made

    def _forget(self, name: int, size: int) -> None:
        self.known.discard(name)
        self.now -= size


@pytest.mark.parametrize("shape", [ModelShape(3, 64, 4, 4, 172, 300), ModelShape(2, 64, 4, 2, 128, 4000)])
def test_what_reading_holds_is_what_a_forward_pass_makes(shape: ModelShape):
    """Counted on a model without numbers, of the form that a GPU computes: wide in its MLP, and wide in its head."""
    model = model_of(shape).eval()
    mode = model.model.embed_tokens.weight.fake_mode
    with torch.no_grad(), mode:
        inputs = torch.zeros((8, 256), dtype=torch.int64)
        index, targets = torch.arange(8 * 256), torch.zeros(8 * 256, dtype=torch.int64)
        with Live() as live:
            target_losses(model, inputs, index, targets)
    counted = reading_memory(shape, dtype="float32", num_tokens=8 * 256).activations
    assert live.most <= counted <= 2 * live.most
