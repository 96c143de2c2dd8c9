"""Random models on the device, with a tokenizer of as many words, and what is shown to them.

model = random_llama(shape, device="cuda")                       # float32 weights
folder = write_folder(model, shape, tmp)                         # bfloat16 weights, tokenizer: what engines open
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sizes import Shape
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rft.core.tokenization import Prompt


def random_llama(shape: Shape, *, device: str, dtype: torch.dtype = torch.float32) -> Any:
    """A Llama with random weights, made on the device; the same weights in every call."""
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        attn_implementation="sdpa",
    )
    torch.manual_seed(0)
    with torch.device(device):
        return LlamaForCausalLM(config).to(dtype)


def write_folder(model: Any, shape: Shape, folder: Path) -> Path:
    """The model and a tokenizer with a word for each of its rows."""
    names = ["<pad>", "<eos>", "<unk>", *(f"w{number}" for number in range(3, shape.vocabulary))]
    backend = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="<eos>", pad_token="<pad>")
    model.save_pretrained(str(folder))
    words.save_pretrained(str(folder))
    return folder


def random_prompts(shape: Shape, count: int, *, seed: int, shortest: int = 48, longest: int = 112) -> list[Prompt]:
    """Texts of random words, as long as word problems with their instruction."""
    rng = random.Random(seed)
    lengths = [rng.randint(shortest, longest) for _ in range(count)]
    return [Prompt(" ".join(f"w{rng.randrange(3, shape.vocabulary)}" for _ in range(length))) for length in lengths]


def synchronize(device: str) -> None:
    """Wait for the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(device: str, work: Callable[[], Any]) -> float:
    """Seconds that the work takes until the device is done with it."""
    synchronize(device)
    started = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - started


@contextmanager
def freed(device: str) -> Iterator[None]:
    """Give the memory of what was made inside back to the device."""
    try:
        yield
    finally:
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()


def memory_gb(device: str) -> float | None:
    """The most that was allocated since the last question."""
    if device != "cuda":
        return None
    most = torch.cuda.max_memory_allocated() / 1e9
    torch.cuda.reset_peak_memory_stats()
    return round(most, 2)


def peaks(device: str, *, matrix: int, copy_bytes: int) -> dict[str, float]:
    """The ceilings of this device as measured: bf16 products in FLOP/s, copies in bytes (read and written) a second."""
    left, right = (torch.randn(matrix, matrix, device=device, dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(copy_bytes, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    for _ in range(3):
        left @ right
        target.copy_(source)
    product_s = min(timed(device, lambda: [left @ right for _ in range(10)]) for _ in range(3)) / 10
    copy_s = min(timed(device, lambda: [target.copy_(source) for _ in range(5)]) for _ in range(3)) / 5
    return {"bf16_flops_per_s": 2.0 * matrix**3 / product_s, "bytes_per_s": 2.0 * copy_bytes / copy_s}
