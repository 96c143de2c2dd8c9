"""The measured loss of a model on held-out text: nats per token, on determined tokens alone, and bits per byte.

    measured = measure_loss(model, tokens, window=256, context_id=tokenizer.eos_token_id, num_bytes=len(text.encode()))
    measured     # MeasuredLoss(loss_nats=1.312, se=0.011, num_tokens=40960, determined_loss_nats=None, num_determined=0, ...)

Windows slide by half their length, so that every token but those of the first window sees at least half a window of
context; each token is scored once. Bits per byte make models with different tokenizers comparable, nats per token do not.

Shapes: B windows, T tokens, N scored tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rft.core.forward import target_losses
from rft.core.model import Model
from rft.core.tokenization import Tokenizer


@dataclass(frozen=True)
class MeasuredLoss:
    """Loss of one model on one text."""

    loss_nats: float  # mean over the scored tokens
    se: float  # standard error of that mean, over windows (tokens within a window are not independent)
    num_tokens: int  # scored
    determined_loss_nats: float | None  # mean over the tokens that the mask marks; None without a mask
    num_determined: int
    bits_per_byte: float | None  # None where bytes are not given, or where the tokens do not spell the text
    num_bytes: int | None  # of the text that was scored


def measure_loss(
    model: Model,
    tokens: np.ndarray,
    *,
    window: int,
    context_id: int,
    mask: np.ndarray | None = None,
    num_bytes: int | None = None,
    micro_batch_tokens: int = 8192,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredLoss:
    """Loss of the model on a 1-D integer token array, every token scored.

    `context_id` (end or beginning of sequence) stands before the first token. `mask` marks determined tokens (boolean,
    same length). Raises ValueError for fewer than 2 tokens, a window under 2, or a mask of another length.
    """
    if len(tokens) < 2 or window < 2:
        raise ValueError(f"a measured loss needs 2 tokens and a window of 2, got {len(tokens)} and {window}")
    if mask is not None and len(mask) != len(tokens):
        raise ValueError(f"the mask has {len(mask)} entries for {len(tokens)} tokens")
    spans = window_spans(len(tokens), window=window)
    losses_N = token_losses(
        model, tokens, spans=spans, context_id=context_id, micro_batch_tokens=micro_batch_tokens, progress=progress
    )
    mean = float(losses_N.mean())
    determined = losses_N[mask.astype(bool)] if mask is not None else losses_N[:0]
    return MeasuredLoss(
        loss_nats=mean,
        se=_cluster_se(losses_N, spans),
        num_tokens=len(losses_N),
        determined_loss_nats=float(determined.mean()) if len(determined) else None,
        num_determined=len(determined),
        bits_per_byte=float(losses_N.sum()) / math.log(2) / num_bytes if num_bytes else None,
        num_bytes=num_bytes,
    )


def measure_text(
    model: Model,
    tokenizer: Tokenizer,
    text: str,
    *,
    window: int,
    max_tokens: int | None,
    micro_batch_tokens: int = 8192,
) -> MeasuredLoss:
    """Loss of the model on a text, or on what its first `max_tokens` tokens spell; the bytes counted are those alone.

    No bits per byte where the tokens do not spell the text: what they leave out costs them nothing.
    """
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets = encoded["offset_mapping"]
    count = whole_characters(offsets, len(offsets) if max_tokens is None else min(max_tokens, len(offsets)))
    ids = encoded["input_ids"][:count]
    context_id = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    scored = text if count == len(offsets) else text[: offsets[count - 1][1]]
    measured = measure_loss(
        model,
        np.asarray(ids, dtype=np.int64),
        window=window,
        context_id=context_id,
        num_bytes=len(scored.encode()),
        micro_batch_tokens=micro_batch_tokens,
    )
    return measured if spells(tokenizer, ids, scored) else replace(measured, bits_per_byte=None)


def spells(tokenizer: Tokenizer, ids: Sequence[int], text: str) -> bool:
    """Whether the ids alone give back the text; the space that some tokenizers set before a text does not count.

    They do not where words are unknown, or where case, accents or runs of spaces are dropped.
    """
    told = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return bool(told.removeprefix(" ") == text.removeprefix(" "))


def window_spans(num_tokens: int, *, window: int) -> list[tuple[int, int, int]]:
    """Windows as (first context token, first scored token, end), over the array with the context token before it.

    Positions are those of the scored tokens (0-based); a window holds at most `window` inputs. Every token is scored
    once.
    """
    stride = window // 2
    spans = [(0, 0, min(window, num_tokens))]
    while spans[-1][2] < num_tokens:
        first = spans[-1][2]
        end = min(first + stride, num_tokens)
        spans.append((end - window, first, end))
    return spans


@torch.no_grad()
def token_losses(
    model: Model,
    tokens: np.ndarray,
    *,
    spans: list[tuple[int, int, int]],
    context_id: int,
    micro_batch_tokens: int,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Loss in nats of every token, float64 (N,), in order."""
    was_training = model.training
    model.eval()
    stream = torch.from_numpy(np.concatenate(([context_id], tokens)).astype(np.int64))
    width = max(end - start for start, _, end in spans)
    rows_per_pass = max(1, micro_batch_tokens // width)
    parts: list[np.ndarray] = []
    for at in range(0, len(spans), rows_per_pass):
        parts.append(_score(model, stream, spans[at : at + rows_per_pass]))
        if progress is not None:
            progress(min(at + rows_per_pass, len(spans)), len(spans))
    model.train(was_training)
    return np.concatenate(parts)


def _score(model: Model, stream: torch.Tensor, spans: list[tuple[int, int, int]]) -> np.ndarray:
    """Losses of the scored tokens of some windows. `stream[i]` is the input that predicts token i, `stream[i + 1]`."""
    width = max(end - start for start, _, end in spans)
    inputs_BT = torch.zeros((len(spans), width), dtype=torch.int64)
    index, targets = [], []
    for row, (start, first, end) in enumerate(spans):
        inputs_BT[row, : end - start] = stream[start:end]
        index.append(row * width + torch.arange(first - start, end - start))
        targets.append(stream[first + 1 : end + 1])
    device = model.device
    losses = target_losses(model, inputs_BT.to(device), torch.cat(index).to(device), torch.cat(targets).to(device))
    return losses.double().cpu().numpy()


def _cluster_se(losses_N: np.ndarray, spans: list[tuple[int, int, int]]) -> float:
    """Standard error of the mean with windows as clusters (ratio estimator); 0.0 when there is one window."""
    if len(spans) < 2:
        return 0.0
    mean = losses_N.mean()
    residuals = np.array([(losses_N[first:end] - mean).sum() for _, first, end in spans])
    count = len(spans)
    return float(np.sqrt((residuals**2).sum() * count / (count - 1)) / len(losses_N))


def whole_characters(offsets: Sequence[tuple[int, int]], count: int) -> int:
    """The most tokens, at most `count`, that end where a character ends: byte-level tokenizers cut some in two."""
    while 1 < count < len(offsets) and offsets[count][0] < offsets[count - 1][1]:
        count -= 1
    return count
