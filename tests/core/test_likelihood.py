"""Log-probabilities of given responses, against plain transformers one example at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from core_tiny import tiny_llama, tiny_tokenizer, toy_pairs
from transformers import AutoModelForCausalLM

from rft.core.likelihood import mean_logprobs
from rft.core.model import save_model
from rft.core.tokenization import encode_examples


@pytest.mark.parametrize("micro_batch_tokens", [1, 40, 4096])
def test_they_are_those_of_transformers_whatever_the_batch(tmp_path: Path, micro_batch_tokens: int):
    model, tokenizer = tiny_llama(seed=3), tiny_tokenizer()
    with torch.no_grad():
        model.get_input_embeddings().weight *= 20  # far from uniform
    save_model(model, tokenizer, tmp_path / "m")
    pairs = toy_pairs(9, seed=0)
    found = mean_logprobs(
        model, encode_examples(tokenizer, pairs, max_tokens=99), micro_batch_tokens=micro_batch_tokens
    )
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    for (prompt, response), score in zip(pairs, found, strict=True):
        before = tokenizer(prompt.text)["input_ids"]
        after = [*tokenizer(response)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logits = plain(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
        expected = torch.log_softmax(logits.double(), -1)[torch.arange(len(after)), after].mean()
        assert score == pytest.approx(float(expected), abs=1e-5)
    assert len({round(score, 3) for score in found}) > 5


def test_of_nothing_there_are_none():
    assert mean_logprobs(tiny_llama(), [], micro_batch_tokens=64) == []
