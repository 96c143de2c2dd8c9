"""A model and a task for the speed benchmarks: word problems' sizes (prompts of 30 to 60 tokens, solutions of 20 to 70).

folder, pairs = bench_model(None)        # builds and briefly trains a 0.4M-parameter Llama with 1,200 words
folder, pairs = bench_model(Path("m"))   # a model folder of your own, and the same prompts
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rft.config import ArchConfig
from rft.core.batching import example_steps
from rft.core.model import build_llama, save_model
from rft.core.tokenization import Prompt, encode_examples
from rft.core.training import TrainSettings, train

ARCH = ArchConfig(
    num_layers=3,
    width=80,
    num_heads=4,
    num_kv_heads=4,
    mlp_width=216,
    context=256,
    init_std=0.02,
    embedding_std=0.02,
    rope_theta=1e4,
)
NUM_WORDS = 1200


def bench_pairs(count: int, *, seed: int) -> list[tuple[Prompt, str]]:
    """Prompts whose first word tells how long the solution is, so that solutions end when a trained model ends them."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        length = rng.randrange(20, 70)
        prompt = [f"n{length}", *(f"w{rng.randrange(1000)}" for _ in range(rng.randrange(29, 59)))]
        pairs.append(
            (Prompt(" ".join(prompt)), " ".join(f"s{i}" if i % 4 else f"w{rng.randrange(1000)}" for i in range(length)))
        )
    return pairs


def bench_model(folder: Path | None) -> tuple[Path, list[tuple[str, str]]]:
    """The model folder to measure, and 1,024 pairs."""
    pairs = bench_pairs(1024, seed=1)
    if folder is not None:
        return folder, pairs
    words = [f"w{i}" for i in range(1000)] + [f"n{i}" for i in range(20, 70)] + [f"s{i}" for i in range(70)]
    names = ["<pad>", "<eos>", "<unk>", *words]
    names += [f"x{i}" for i in range(NUM_WORDS - len(names))]
    backend = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="<unk>", eos_token="<eos>", pad_token="<pad>"
    )
    model = build_llama(ARCH, vocab_size=NUM_WORDS, seed=0, eos_id=1, pad_id=0)
    steps = example_steps(
        encode_examples(tokenizer, pairs, max_tokens=256), batch_size=32, num_steps=60, seed=0, micro_batch_tokens=4096
    )
    train(model, steps, settings=TrainSettings(60, 3e-3, 0.1, "cosine", 0.0, 1.0))
    out = Path(tempfile.mkdtemp(prefix="rft-bench-"))
    save_model(model, tokenizer, out)
    return out, pairs
