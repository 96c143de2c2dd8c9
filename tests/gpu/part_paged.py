"""The task of part_sampling by transformers' continuous batching over paged attention, every draw a request.

A part of its own, since it needs a GPU and may hang where it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from models import memory_gb, random_llama, random_prompts, timed
from part_sampling import sampled
from sizes import Sizes


def run(sizes: Sizes, emit: Callable[[str, Any], None]) -> None:
    """Tokens a second, its set-up counted apart by a short first call."""
    if sizes.device != "cuda":
        emit("skipped", "continuous batching is measured on CUDA alone")
        return
    model = random_llama(sizes.model, device=sizes.device, dtype=torch.bfloat16).eval()
    prompts = random_prompts(sizes.model, sizes.num_prompts, seed=3)
    ids = [[int(word[1:]) for word in prompt.text.split()] for prompt in prompts]
    requests = [row for row in ids for _ in range(sizes.num_draws)]
    made: dict[str, Any] = {}

    def ask(asked: list[list[int]], new_tokens: int) -> None:
        made.clear()
        made.update(model.generate_batch(asked, generation_config=sampled(new_tokens, draws=1)))

    emit("first_call_s", timed(sizes.device, lambda: ask(requests[:64], 8)))
    seconds = timed(sizes.device, lambda: ask(requests, sizes.new_tokens))
    tokens = sum(len(output.generated_tokens) for output in made.values())
    emit(
        "hf_generate_batch",
        {
            "tokens_per_s": tokens / seconds,
            "seconds": seconds,
            "answered": len(made),
            "asked": len(requests),
            "attention": str(model.config._attn_implementation),
            "memory_gb": memory_gb(sizes.device),
        },
    )
