"""Scores of a sequence-classification model: batches change none, and what is no reward model is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from byte_model import write_byte_model
from reward_model import write_reward_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rft.core.rewards import reward_scores

PAIRS = [(f"What is {n} and {n}?", f"{n}+{n}={2 * n}" * (1 + n % 4)) for n in range(9)]


def scores(folder: Path, pairs: list[tuple[str, str]], *, tokens: int = 4096) -> list[float]:
    return reward_scores(folder, pairs, device="cpu", micro_batch_tokens=tokens, dtype="float32")


@pytest.mark.parametrize("tokens", [1, 100, 4096])
@pytest.mark.parametrize("learned_positions", [False, True])
def test_scores_are_those_of_transformers_one_by_one(tmp_path: Path, tokens: int, learned_positions: bool):
    folder = write_reward_model(tmp_path / "r", learned_positions=learned_positions)
    model, tokenizer = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        expected = [float(model(**tokenizer(*pair, return_tensors="pt")).logits[0, 0]) for pair in PAIRS]
    assert scores(folder, PAIRS, tokens=tokens) == pytest.approx(expected, abs=1e-5)
    assert len({round(value, 2) for value in expected}) > 5


def test_where_there_is_a_chat_template_the_path_is_the_assistants(tmp_path: Path):
    folder = write_reward_model(tmp_path / "r")
    plain = scores(folder, PAIRS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(folder)
    framed = scores(folder, PAIRS)
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    texts = [(f"user: {question}\nassistant: {path}\n", "") for question, path in PAIRS]
    assert framed == pytest.approx(scores(folder, texts), abs=1e-5)
    assert framed != pytest.approx(plain, abs=1e-3)


def test_no_pairs_need_no_model(tmp_path: Path):
    assert scores(tmp_path / "nowhere", []) == []


def test_what_is_no_reward_model_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="does not exist"):
        scores(tmp_path / "nowhere", PAIRS)
    with pytest.raises(ValueError, match="has 3 outputs: a reward model has one"):
        scores(write_reward_model(tmp_path / "three", num_labels=3), PAIRS)
    with pytest.raises(ValueError, match=r"lacks weights of a sequence-classification model \(score.weight\)"):
        scores(write_byte_model(tmp_path / "causal"), PAIRS)
    with pytest.raises(ValueError, match=r"has \d+ tokens, the model in .* reads 2048"):
        scores(write_reward_model(tmp_path / "one"), [("?", "1" * 3000)])


def test_in_bfloat16_scores_are_nearly_the_same(tmp_path: Path):
    folder = write_reward_model(tmp_path / "r")
    exact = scores(folder, PAIRS)
    rounded = reward_scores(folder, PAIRS, device="cpu", micro_batch_tokens=4096, dtype="bfloat16")
    assert rounded != exact
    assert rounded == pytest.approx(exact, abs=0.05 * max(map(abs, exact)))
