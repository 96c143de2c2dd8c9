"""Packing on and off: word problems of random words through our loop, the same examples in the same steps."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from models import freed, memory_gb, random_llama
from sizes import Sizes

from rft.core.batching import example_steps
from rft.core.tokenization import Encoded
from rft.core.training import TrainSettings, train


def run(sizes: Sizes, emit: Callable[[str, Any], None]) -> None:
    """Tokens of examples (padding not counted) a second, and the losses, which must agree."""
    examples = _examples(sizes)
    for name, packing in (("off", False), ("on", True)):
        with freed(sizes.device):
            emit(name, _measure(sizes, examples, packing=packing))


def _examples(sizes: Sizes) -> list[Encoded]:
    rng = random.Random(0)
    scale = 1 if sizes.sequence >= 512 else 0.05
    found = []
    for _ in range(sizes.packed_batch * (sizes.packed_steps + sizes.warm_steps)):
        prompt = 2 + int(scale * rng.randint(48, 112))
        length = prompt + 2 + int(scale * min(380, rng.lognormvariate(4.4, 0.5)))
        found.append(Encoded(tuple(rng.randrange(3, sizes.model.vocabulary) for _ in range(length)), prompt))
    return found


def _measure(sizes: Sizes, examples: list[Encoded], *, packing: bool) -> dict[str, Any]:
    memory_gb(sizes.device)
    steps = sizes.warm_steps + sizes.packed_steps
    batches = list(
        example_steps(
            examples,
            batch_size=sizes.packed_batch,
            num_steps=steps,
            seed=0,
            micro_batch_tokens=sizes.packed_tokens,
            packing=packing,
        )
    )
    ends: list[float] = []
    losses: list[float] = []

    def log(row: dict[str, Any]) -> None:
        ends.append(time.perf_counter())
        losses.append(row["loss_nats"])

    model = random_llama(sizes.model, device=sizes.device)
    settings = TrainSettings(steps, 1e-4, 0.1, "cosine", 0.0, 1.0, autocast="bfloat16")
    train(model, batches, settings=settings, log=log)
    seconds = [after - before for before, after in itertools.pairwise(ends)][sizes.warm_steps - 1 :]
    mean = sum(len(example.ids) - 1 for example in examples) / len(examples)
    padded = sum(part.inputs_BT.numel() for step in batches for part in step)
    return {
        "tokens_per_s": mean * sizes.packed_batch / statistics.median(seconds),
        "examples_per_s": sizes.packed_batch / statistics.median(seconds),
        "real_share": mean * sizes.packed_batch * steps / padded,
        "passes_per_step": sum(len(step) for step in batches) / steps,
        "losses": losses,
        "memory_gb": memory_gb(sizes.device),
    }
