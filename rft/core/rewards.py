"""Scores of a reward model: a local sequence-classification model with one output, which reads a question and a solution.

    reward_scores(folder, [("How many?", "3*17=51\\n#### 51")], device="cpu", micro_batch_tokens=8192,
                  dtype="float32")      # [1.7]

Weights are safetensors, code that comes with a model is not run. Where the tokenizer has a chat template the pair is a user's
message and the assistant's answer, as such models were trained; else it is the tokenizer's own pair of texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rft.core.checkpoints import check_folder
from rft.core.model import DTYPES


@torch.inference_mode()
def reward_scores(
    folder: Path, pairs: Sequence[tuple[str, str]], *, device: str, micro_batch_tokens: int, dtype: str
) -> list[float]:
    """A score for each (question, solution), batch by batch, in order.

    Raises ValueError for a folder without such a model, one with several outputs, or a pair beyond its context.
    """
    if not pairs:
        return []
    model, tokenizer = _opened(folder, device, dtype)
    rows = [_encoded(tokenizer, question, solution) for question, solution in pairs]
    lengths = [len(row["input_ids"]) for row in rows]
    _check_longest(max(lengths), model.config, folder)
    order = sorted(range(len(rows)), key=lengths.__getitem__)
    scores = [0.0] * len(rows)
    while order:
        size = max(1, micro_batch_tokens // lengths[order[-1]])  # longest first: what does not fit fails at once
        chosen, order = order[-size:], order[:-size]
        padded = tokenizer.pad([rows[place] for place in chosen], return_tensors="pt")
        logits = model(**{name: tensor.to(device) for name, tensor in padded.items()}).logits.float()
        for place, score in zip(chosen, logits[:, 0].tolist(), strict=True):
            scores[place] = score
    return scores


def _opened(folder: Path, device: str, dtype: str) -> tuple[Any, Any]:
    check_folder(folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
        model, found = AutoModelForSequenceClassification.from_pretrained(
            str(folder), **options, use_safetensors=True, dtype=DTYPES[dtype], output_loading_info=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"no reward model can be loaded from {folder}: {error}") from error
    if found["missing_keys"]:
        raise ValueError(
            f"{folder} lacks weights of a sequence-classification model ({', '.join(sorted(found['missing_keys']))}): "
            "its scores would be random. Give a model trained as one"
        )
    if model.config.num_labels != 1:
        raise ValueError(f"the model in {folder} has {model.config.num_labels} outputs: a reward model has one")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"  # learned positions count columns from the left
    model.config.pad_token_id = tokenizer.pad_token_id  # and they find the last token by this one
    return model.to(device).eval(), tokenizer


def _encoded(tokenizer: Any, question: str, solution: str) -> dict[str, list[int]]:
    """Ids, and of encoders which token is of which text; padding and its mask are added batch by batch."""
    if tokenizer.chat_template is None:
        return dict(tokenizer(question, solution, return_attention_mask=False))
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": solution}]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    return dict(tokenizer(text, add_special_tokens=False, return_attention_mask=False))


def _check_longest(longest: int, config: Any, folder: Path) -> None:
    limit = getattr(config, "max_position_embeddings", None)
    if limit is not None and longest > limit:
        raise ValueError(f"a question with its path has {longest} tokens, the model in {folder} reads {limit}")
