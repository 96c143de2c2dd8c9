"""The random 1B Llama sampled in bfloat16, k draws of each prompt, by every engine that is here, beside Hugging Face.

Random weights end no text, so that every row is as long as allowed and engines do the same work. The bound is what the
measured copy bandwidth allows: a decoding step reads all weights once and the keys and values of every row.
"""

from __future__ import annotations

import importlib.util
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from models import freed, memory_gb, peaks, random_llama, random_prompts, timed, write_folder
from sizes import Sizes
from transformers import GenerationConfig

from rft.core.model import load_model
from rft.core.sampling.engines import Place, open_sampler
from rft.core.sampling.torch_backend import left_padded
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer

Emit = Callable[[str, Any], None]
PROBE_TOKENS = 16


def run(sizes: Sizes, emit: Emit) -> None:
    """Measure every engine, one after the other."""
    peak = peaks(sizes.device, matrix=sizes.matrix, copy_bytes=sizes.copy_bytes)
    prompts = random_prompts(sizes.model, sizes.num_prompts, seed=3)
    with tempfile.TemporaryDirectory() as scratch:
        with freed(sizes.device):
            model = random_llama(sizes.model, device=sizes.device, dtype=torch.bfloat16)
            folder = write_folder(model, sizes.model, Path(scratch))
            weights = sum(p.numel() for p in model.parameters())
            del model
        ids = encode_prompts(load_tokenizer(folder), prompts)
        mean_prompt = sum(map(len, ids)) / len(ids)
        emit(
            "task",
            {"prompts": len(ids), "draws": sizes.num_draws, "new_tokens": sizes.new_tokens, "mean_prompt": mean_prompt},
        )
        rates = {rows: _bound(sizes, weights, mean_prompt, rows, peak["bytes_per_s"]) for rows in sizes.batches}
        emit("bound_tokens_per_s", rates)
        measures: dict[str, Callable[[], dict[str, Any]]] = {
            "torch": lambda: _engine(sizes, "torch", folder, prompts),
            "hf_generate": lambda: _hugging_face(sizes, folder, ids),
        }
        for engine in ("ctranslate2", "vllm"):
            if importlib.util.find_spec(engine) is not None:
                measures[engine] = lambda engine=engine: _engine(sizes, engine, folder, prompts)
            else:
                emit(engine, {"absent": True})
        for name, measure in measures.items():
            with freed(sizes.device):
                try:
                    emit(name, measure() | {"memory_gb": memory_gb(sizes.device)})
                except Exception:
                    emit(name, {"error": traceback.format_exc()})


def _bound(sizes: Sizes, weights: int, mean_prompt: float, rows: int, bytes_per_s: float) -> float:
    shape = sizes.model
    head = shape.width // shape.num_heads
    per_token = 2 * 2 * shape.num_layers * shape.num_kv_heads * head  # keys and values, two bytes each
    context = mean_prompt + sizes.new_tokens / 2
    return rows * bytes_per_s / (2 * weights + rows * context * per_token)


def _tried(sizes: Sizes, attempt: Callable[[int], tuple[int, float]]) -> tuple[int, dict[int, Any]]:
    """The number of rows at once with most tokens a second, of a short run each."""
    tried: dict[int, Any] = {}
    for rows in sizes.batches:
        with freed(sizes.device):
            try:
                tokens, seconds = attempt(rows)
                tried[rows] = tokens / seconds
            except torch.cuda.OutOfMemoryError as error:
                tried[rows] = str(error).splitlines()[0]
    rates = {rows: rate for rows, rate in tried.items() if isinstance(rate, float)}
    return max(rates, key=lambda rows: rates[rows]), tried


def _engine(sizes: Sizes, engine: str, folder: Path, prompts: list[Prompt]) -> dict[str, Any]:
    dtype = "float32" if sizes.device == "cpu" else "bfloat16"
    sampler: Any = open_sampler(
        engine, folder, Place(device=sizes.device, threads=1, dtype=dtype, batch=sizes.batches[0])
    )

    def measure(asked: list[Prompt], new_tokens: int) -> tuple[int, float]:
        made: list[Any] = []
        seconds = timed(sizes.device, lambda: made.extend(_draw(sampler, sizes, asked, new_tokens)))
        return sum(solution.num_tokens for group in made for solution in group), seconds

    def attempt(rows: int) -> tuple[int, float]:
        sampler._batch = rows  # opening it anew would read the weights again
        return measure(prompts[: max(1, rows // sizes.num_draws)], min(PROBE_TOKENS, sizes.new_tokens))

    try:
        best, tried = _tried(sizes, attempt) if engine == "torch" else (None, {})
        if engine == "torch":
            sampler._batch = best
        tokens, seconds = measure(prompts, sizes.new_tokens)
    finally:
        sampler.close()
    return {"tokens_per_s": tokens / seconds, "seconds": seconds, "rows_at_once": best, "tried": tried}


def _draw(sampler: Any, sizes: Sizes, prompts: list[Prompt], new_tokens: int) -> list[Any]:
    found: list[Any] = sampler.sample(
        prompts, num_draws=sizes.num_draws, temperature=0.7, top_p=1.0, max_new_tokens=new_tokens, stop=[], seed=0
    )
    return found


def sampled(new_tokens: int, *, draws: int) -> GenerationConfig:
    """Plain sampling at temperature 0.7."""
    return GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=0,
        top_p=1.0,
        max_new_tokens=new_tokens,
        num_return_sequences=draws,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=2,
    )


def _hugging_face(sizes: Sizes, folder: Path, ids: list[list[int]]) -> dict[str, Any]:
    """`generate`, prompts sorted by length so that little is padded."""
    dtype = "float32" if sizes.device == "cpu" else "bfloat16"
    model = load_model(folder, device=sizes.device, dtype=dtype).eval()
    ordered = sorted(ids, key=len, reverse=True)

    def decode(rows: int, asked: list[list[int]], new_tokens: int) -> int:
        tokens = 0
        per_batch = max(1, rows // sizes.num_draws)
        for at in range(0, len(asked), per_batch):
            ids_BT, mask_BT, _ = left_padded(asked[at : at + per_batch])
            out = model.generate(
                input_ids=ids_BT.to(sizes.device),
                attention_mask=mask_BT.to(sizes.device),
                generation_config=sampled(new_tokens, draws=sizes.num_draws),
            )
            tokens += out.shape[0] * (out.shape[1] - ids_BT.shape[1])
        return tokens

    def attempt(rows: int) -> tuple[int, float]:
        made: list[int] = []
        asked, length = ordered[: max(1, rows // sizes.num_draws)], min(PROBE_TOKENS, sizes.new_tokens)
        seconds = timed(sizes.device, lambda: made.append(decode(rows, asked, length)))
        return made[0], seconds

    best, tried = _tried(sizes, attempt)
    made: list[int] = []
    seconds = timed(sizes.device, lambda: made.append(decode(best, ordered, sizes.new_tokens)))
    return {"tokens_per_s": made[0] / seconds, "seconds": seconds, "rows_at_once": best, "tried": tried}
