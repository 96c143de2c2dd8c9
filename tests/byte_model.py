"""A tiny random Llama that reads any text byte by byte, and a JSONL data set for it: imported models without a download."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from rft.config import ArchConfig
from rft.core.model import build_llama, save_model

ARCH = ArchConfig(
    num_layers=1, width=16, num_heads=2, num_kv_heads=2, mlp_width=32, context=2048, init_std=0.05, embedding_std=0.05,
    rope_theta=10_000.0,
)  # fmt: skip


def byte_tokenizer() -> PreTrainedTokenizerFast:
    alphabet = ["<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<eos>", bos_token="<eos>", pad_token="<eos>", unk_token="<eos>"
    )


def write_byte_model(folder: Path) -> Path:
    tokenizer = byte_tokenizer()
    save_model(build_llama(ARCH, vocab_size=len(tokenizer), seed=0, eos_id=0, pad_id=0), tokenizer, folder)
    return folder


def write_problems(folder: Path, *, num_train: int = 12, num_test: int = 6) -> Path:
    """`train.jsonl` and `test.jsonl` in GSM8K's form, one equation each, no question twice."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, first, count in (("train", 0, num_train), ("test", num_train, num_test)):
        rows = [_row(number) for number in range(first, first + count)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def _row(number: int) -> dict[str, str]:
    a, b = 13 + number, 41 + 2 * number
    question = f"Ann has {a} red and {b} blue nails. How many nails has she?"
    return {"question": question, "answer": f"{a} + {b} = <<{a}+{b}={a + b}>>{a + b} nails.\n#### {a + b}"}


def overrides(folder: Path) -> list[str]:
    """A cell on both, in seconds."""
    model, data = write_byte_model(folder / "model"), write_problems(folder / "data")
    return [
        "data=gsm8k",
        "model=smollm2-135m",
        f"model.path={model}",
        f"data.train_path={data}",
        f"data.test_path={data}",
        f"store.root={folder}/store",
        "data.prompt=plain",
        "data.num_shots=1",
        "data.max_new_tokens=8",
        "train.epochs=1",
        "train.batch_size=4",
        "loss.max_tokens=256",
        "sampling.problems_per_shard=8",
        "sampling.draws_per_shard=2",
        "tracking.mode=disabled",
    ]
