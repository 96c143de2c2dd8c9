"""What one of two cells does on a shared GPU: fine-tunes a random SmolLM2-135M in float32 and samples from it.

The first call makes the model and warms up; every further one is a cell, whose seconds the worker tells.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models import random_llama, random_prompts, synchronize, write_folder
from sizes import Sizes

from rft.core.batching import example_steps
from rft.core.sampling.torch_backend import TorchSampler
from rft.core.tokenization import encode_examples
from rft.core.training import TrainSettings, train

_HELD: dict[str, Any] = {}


def run(sizes: Sizes, emit: Callable[[str, Any], None]) -> None:
    """Warm up, or a cell."""
    if not _HELD:
        model = random_llama(sizes.cell, device=sizes.device)
        folder = write_folder(model, sizes.cell, Path(tempfile.mkdtemp()))
        _HELD["model"] = model
        _HELD["sampler"] = TorchSampler(folder, device=sizes.device, threads=1, dtype="float32", batch=512)
        _HELD["pairs"] = encode_examples(
            _HELD["sampler"]._tokenizer,
            [(prompt, prompt.text) for prompt in random_prompts(sizes.cell, 64, seed=0, longest=64)],
            max_tokens=256,
        )
        _cell(sizes, steps=2, new_tokens=2)
        return
    started = time.perf_counter()
    split = _cell(sizes, steps=sizes.cell_steps, new_tokens=min(64, 8 * sizes.new_tokens))
    emit("cell", {"train_s": split, "seconds": time.perf_counter() - started})


def _cell(sizes: Sizes, *, steps: int, new_tokens: int) -> float:
    started = time.perf_counter()
    batches = example_steps(_HELD["pairs"], batch_size=8, num_steps=steps, seed=0, micro_batch_tokens=8192)
    train(_HELD["model"], batches, settings=TrainSettings(steps, 1e-5, 0.1, "cosine", 0.0, 1.0))
    synchronize(sizes.device)
    trained_s = time.perf_counter() - started
    prompts = random_prompts(sizes.cell, sizes.cell_prompts, seed=1)
    _HELD["sampler"].sample(
        prompts, num_draws=4, temperature=0.7, top_p=1.0, max_new_tokens=new_tokens, stop=[], seed=0
    )
    return trained_s
