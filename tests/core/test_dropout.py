"""Training drops nothing, so that the cut into micro-batches and the packing of rows change no loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    FalconConfig,
    FalconForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from rft.core.dropout import without_dropout
from rft.core.lora import add_lora
from rft.core.model import load_model
from rft.records import read_jsonl
from rft.stages.finetune import Lora
from tests.byte_model import byte_tokenizer
from tests.core.stage_runs import finetune, saved

torch.set_num_threads(1)

SIZES: dict[str, Any] = {"vocab_size": 257, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
FOUR = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
RATE = 0.5  # high enough that no draw leaves a pass as it is

FAMILIES: dict[str, Any] = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(n_embd=32, n_layer=2, n_head=2, resid_pdrop=RATE, embd_pdrop=RATE, attn_pdrop=RATE, **SIZES)
    ),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(attention_dropout=RATE, **FOUR, **SIZES)),
    "gpt_neox": lambda: GPTNeoXForCausalLM(
        GPTNeoXConfig(attention_dropout=RATE, hidden_dropout=RATE, **FOUR, **SIZES)
    ),
    "falcon": lambda: FalconForCausalLM(  # its layers read the configuration in every pass
        FalconConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, attention_dropout=RATE, hidden_dropout=RATE, **SIZES
        )
    ),
    "gptj": lambda: GPTJForCausalLM(
        GPTJConfig(
            n_embd=32, n_layer=2, n_head=2, rotary_dim=8, resid_pdrop=RATE, embd_pdrop=RATE, attn_pdrop=RATE, **SIZES
        )
    ),
    "bloom": lambda: BloomForCausalLM(
        BloomConfig(hidden_size=32, n_layer=2, n_head=2, hidden_dropout=RATE, attention_dropout=RATE, **SIZES)
    ),
    "opt": lambda: OPTForCausalLM(  # drops whole layers as well
        OPTConfig(
            hidden_size=32, num_hidden_layers=4, num_attention_heads=2, ffn_dim=48, word_embed_proj_dim=32, dropout=RATE,
            attention_dropout=RATE, layerdrop=RATE, **SIZES,
        )
    ),
}  # fmt: skip


def passes(model: Any) -> list[torch.Tensor]:
    """Logits of one text, three times in training mode and then once in evaluation mode."""
    ids = torch.arange(1, 41)[None]
    model.train()
    logits = [model(input_ids=ids).logits for _ in range(3)]
    return [*logits, model.eval()(input_ids=ids).logits]


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_training_mode_computes_what_evaluation_mode_does(family: str) -> None:
    torch.manual_seed(0)
    model = FAMILIES[family]()
    *trained, evaluated = passes(model)
    assert not any(torch.equal(one, evaluated) for one in trained)  # the family does drop
    without_dropout(model)
    *trained, again = passes(model)
    assert torch.equal(again, evaluated)
    assert all(torch.equal(one, evaluated) for one in trained)


@torch.no_grad()
def test_adapters_leave_nothing_on() -> None:
    torch.manual_seed(0)
    model = add_lora(FAMILIES["gpt2"](), rank=2, alpha=4, seed=0)
    without_dropout(model)
    *trained, evaluated = passes(model)
    assert all(torch.equal(one, evaluated) for one in trained)


@pytest.mark.parametrize("lora", [None, Lora(rank=4, alpha=8)], ids=["full", "lora"])
def test_micro_batches_give_the_same_losses_for_a_model_with_dropout(tmp_path: Path, lora: Lora | None) -> None:
    torch.manual_seed(1)
    model = GPT2LMHeadModel(GPT2Config(n_embd=48, n_layer=2, n_head=4, n_positions=512, **SIZES))
    assert model.config.resid_pdrop == 0.1  # transformers' own default
    base = saved(model, byte_tokenizer(), tmp_path / "base")
    solutions = [f"{i} and {i} is {2 * i}." + " So it is." * (i % 4) for i in range(8)]
    curves = []
    for tokens in (8192, 100):
        out = tmp_path / str(tokens)
        finetune(base, out, solutions=solutions, micro_batch_tokens=tokens, lora=lora)
        curves.append([row["loss_nats"] for row in read_jsonl(out / "out" / "curve.jsonl")])
    assert len(curves[0]) == 6
    assert curves[0][-1] < curves[0][0]
    assert curves[1] == pytest.approx(curves[0], abs=1e-6)
    trained = load_model(tmp_path / "100" / "out", device="cpu", dtype="float32")
    assert trained.config.resid_pdrop == trained.config.attn_pdrop == trained.config.embd_pdrop == 0.0
