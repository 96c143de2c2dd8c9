"""Bits per byte count every byte of a text, or are not told."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rft.core.losses import MeasuredLoss, measure_text
from rft.infra.digest import content_digest
from rft.stages.loss import Loss
from tests.core.stage_runs import BASE, run, saved

torch.set_num_threads(1)

TEXT = (Path(__file__).resolve().parents[2] / "rft" / "data" / "heldout.txt").read_text(encoding="utf-8")[:20_000]
ODD = "é日本語 naïve 😀 — “quoted” <unk> ½ " * 20


def words() -> Any:
    """Two known words; every other is one <unk>, whose loss says nothing of which."""
    backend = Tokenizer(models.WordLevel({"<unk>": 0, "<eos>": 1, "the": 2, "and": 3}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", unk_token="<unk>")


def byte_level() -> Any:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<eos>"], initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([TEXT], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>")


def pieces(*, normalizer: Any = None) -> Any:
    """As SentencePiece: a space before the text, bytes for what is unknown."""
    vocab = {"<unk>": 0, "<eos>": 1} | {f"<0x{i:02X}>": i + 2 for i in range(256)}
    vocab |= {char: len(vocab) + i for i, char in enumerate("▁abcdefghijklmnopqrstuvwxyz,.")}
    backend = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse()])
    if normalizer is not None:
        backend.normalizer = normalizer
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", unk_token="<unk>")


def measured(tokenizer: Any, text: str, *, max_tokens: int | None = 500) -> MeasuredLoss:
    return measure_text(model_for(tokenizer), tokenizer, text, window=64, max_tokens=max_tokens)


def model_for(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=1, **sizes, **heads))


def test_unknown_words_leave_no_number() -> None:
    found = measured(words(), TEXT)
    assert found.bits_per_byte is None
    assert found.loss_nats > 0  # nats per token stand: they compare within the tokenizer
    assert found.num_bytes is not None


def test_what_the_same_tokenizer_keeps_has_its_number() -> None:
    found = measured(words(), "the and and the the and")
    assert found.bits_per_byte == pytest.approx(found.loss_nats * 6 / math.log(2) / 23)


@pytest.mark.parametrize("text", [TEXT, ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("tokenizer", [byte_level, pieces])
@pytest.mark.parametrize("max_tokens", [50, 51, 52, 53, 500, None])
def test_tokenizers_that_keep_every_byte(tokenizer: Any, text: str, max_tokens: int | None) -> None:
    found = measured(tokenizer(), text[:3000], max_tokens=max_tokens)
    expected = found.loss_nats * found.num_tokens / math.log(2) / found.num_bytes
    assert found.bits_per_byte == pytest.approx(expected)


@pytest.mark.parametrize("normalizer", [normalizers.Lowercase(), normalizers.NFKC()])
def test_folded_text_has_none(normalizer: Any) -> None:
    assert measured(pieces(normalizer=normalizer), "The ½ of It. " * 20).bits_per_byte is None


def test_the_stage_writes_null(tmp_path: Path) -> None:
    tokenizer = words()
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    folder = saved(model_for(tokenizer), tokenizer, tmp_path / "model")
    stage = Loss(base=BASE, heldout=None, content=content_digest(text), max_tokens=200, window=64, path=str(text))
    run(stage, {BASE: folder}, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "loss.json").read_text())["bits_per_byte"] is None
    assert stage.read(tmp_path / "out").bits_per_byte is None
