"""A tiny Llama with a word-level tokenizer, and a toy task it learns in seconds: what the tests of rft.core run on.

folder = trained_folder(tmp_path)        # answers "q 3 4 =" with "r 3 4 ; ans 4"
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from rft.config import ArchConfig
from rft.core.batching import example_steps
from rft.core.model import build_llama, save_model
from rft.core.tokenization import Prompt, encode_examples
from rft.core.training import TrainSettings, train

WORDS = ["q", "r", "=", ";", "ans", *[str(n) for n in range(20)]]
ARCH = ArchConfig(
    num_layers=2,
    width=32,
    num_heads=4,
    num_kv_heads=2,
    mlp_width=64,
    context=128,
    init_std=0.02,
    embedding_std=0.02,
    rope_theta=200.0,
)


def tiny_tokenizer(*, pad: str | None = "<pad>") -> Any:
    """Words split at white space; `pad=None` leaves the tokenizer without a padding token."""
    vocab = {word: number for number, word in enumerate(["<pad>", "<eos>", "<unk>", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", eos_token="<eos>", pad_token=pad)


def tiny_llama(*, seed: int = 0, arch: ArchConfig = ARCH) -> LlamaForCausalLM:
    return build_llama(arch, vocab_size=len(WORDS) + 3, seed=seed, eos_id=1, pad_id=0)


def toy_pairs(count: int, *, seed: int) -> list[tuple[Prompt, str]]:
    """Prompts of one to six numbers; the response repeats them and names one of them."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        numbers = [str(rng.randrange(20)) for _ in range(rng.randint(1, 6))]
        pairs.append((Prompt(f"q {' '.join(numbers)} ="), f"r {' '.join(numbers)} ; ans {rng.choice(numbers)}"))
    return pairs


def settings(num_steps: int, **changes: Any) -> TrainSettings:
    values = {
        "num_steps": num_steps,
        "lr": 3e-3,
        "warmup_frac": 0.1,
        "schedule": "cosine",
        "weight_decay": 0.01,
        "grad_clip": 1.0,
    }
    return TrainSettings(**{**values, **changes})


def trained_folder(folder: Path, *, num_steps: int = 120) -> Path:
    model, tokenizer = tiny_llama(), tiny_tokenizer()
    encoded = encode_examples(tokenizer, toy_pairs(400, seed=1), max_tokens=64)
    steps = example_steps(encoded, batch_size=32, num_steps=num_steps, seed=0, micro_batch_tokens=4096)
    train(model, steps, settings=settings(num_steps))
    save_model(model, tokenizer, folder)
    return folder
