"""What does not fit into a model's context is refused where it would be computed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import BloomConfig, GPT2Config, LlamaConfig, LlamaForCausalLM, MptConfig

from rft.core.context import check_examples, check_prompts, check_window, context_of
from rft.infra.digest import content_digest
from rft.records import Problem
from rft.stages.generation import Generation, generate
from rft.stages.loss import Loss
from rft.stages.weights import ModelFolder
from tests.byte_model import byte_tokenizer
from tests.core.stage_runs import BASE, finetune, run, saved
from tests.lone_stage import working

torch.set_num_threads(1)

CONTEXT = 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of one byte a token."""
    config = LlamaConfig(
        vocab_size=257, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    return saved(LlamaForCausalLM(config), byte_tokenizer(), tmp_path_factory.mktemp("model") / "model")


def test_the_context_by_family(tmp_path: Path) -> None:
    configs = {
        "llama": LlamaConfig(max_position_embeddings=300),
        "gpt2": GPT2Config(n_positions=301),
        "mpt": MptConfig(max_seq_len=302),
        "bloom": BloomConfig(),
    }
    for name, config in configs.items():
        config.save_pretrained(tmp_path / name)
    assert [context_of(tmp_path / name) for name in configs] == [300, 301, 302, None]


def test_numbers_that_are_no_limit(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": -1, "n_positions": None}))
    assert context_of(tmp_path) is None
    check_prompts([10**6], max_new_tokens=10**6, context=None)
    check_examples([10**6], context=None)
    check_window(10**6, context=None)


def sampled(folder: Path, out: Path, *, question: str, max_new_tokens: int) -> int:
    how = Generation(
        model="tiny", engine="torch", dtype="float32", prompt="plain", max_prompt_tokens=1000,
        max_new_tokens=max_new_tokens, stop=(),
    )  # fmt: skip
    problems = [Problem(str(i), text, "1", "1") for i, text in enumerate((question, "short"))]
    with working(out, {}) as work:
        made = generate(how, problems, num_draws=None, model=ModelFolder(folder), work=work)
    return len(made.samples)


def test_prompts_that_leave_no_room_for_the_answer_are_refused(folder: Path, tmp_path: Path) -> None:
    from rft.text.prompts import template_named

    room = CONTEXT - len(template_named("plain").ask(""))
    assert sampled(folder, tmp_path, question="x" * (room - 8), max_new_tokens=8) == 2
    with pytest.raises(
        ValueError, match=rf"prompts of up to {CONTEXT - 7} tokens .* context of {CONTEXT} tokens: lower"
    ):
        sampled(folder, tmp_path, question="x" * (room - 7), max_new_tokens=8)
    with pytest.raises(ValueError, match="max_new_tokens=9 need 65"):
        sampled(folder, tmp_path, question="x" * (room - 8), max_new_tokens=9)


def test_training_examples_beyond_the_context_are_refused(folder: Path, tmp_path: Path) -> None:
    finetune(folder, tmp_path / "fits", solutions=["y"] * 4)
    with pytest.raises(ValueError, match=rf"1 of 4 training examples exceed the model's context of {CONTEXT} tokens"):
        finetune(folder, tmp_path / "long", solutions=["y", "y", "y" * CONTEXT, "y"])


def test_loss_windows_beyond_the_context_are_refused(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("some text " * 20)

    def measure(window: int) -> None:
        stage = Loss(
            base=BASE, heldout=None, content=content_digest(text), max_tokens=100, window=window, path=str(text)
        )
        run(stage, {BASE: folder}, tmp_path / str(window))

    measure(CONTEXT)
    with pytest.raises(ValueError, match=rf"loss.window=65 exceeds .* of {CONTEXT} tokens: lower loss.window"):
        measure(CONTEXT + 1)
