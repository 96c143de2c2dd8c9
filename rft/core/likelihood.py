"""How likely a model finds given responses: the mean log-probability of their tokens, prompt in the context.

    encoded = encode_examples(tokenizer, [(Prompt("How many?"), " 3*17=51\\n#### 51")], max_tokens=256)
    mean_logprobs(model, encoded, micro_batch_tokens=8192)          # [-0.31] nats a token

Response tokens and the end of the sequence are scored, as they are in training; every example is a row of its own, padded on
the right, so that neither order nor batch changes a score by more than rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from rft.core.batching import bucket, collate
from rft.core.forward import target_losses
from rft.core.model import Model
from rft.core.tokenization import Encoded


@torch.no_grad()
def mean_logprobs(
    model: Model,
    examples: Sequence[Encoded],
    *,
    micro_batch_tokens: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[float]:
    """Nats a token, an example each, in order. Every example must have a token to score."""
    was_training = model.training
    model.eval()
    found: list[float] = []
    for group in bucket(examples, micro_batch_tokens=micro_batch_tokens):
        found += _scores(model, group)
        if progress is not None:
            progress(len(found), len(examples))
    model.train(was_training)
    order = sorted(range(len(examples)), key=lambda place: len(examples[place].ids))  # as buckets have it
    return [score for _, score in sorted(zip(order, found, strict=True))]


def _scores(model: Model, group: Sequence[Encoded]) -> list[float]:
    batch, device = collate(group), model.device
    losses_N = target_losses(model, batch.inputs_BT.to(device), batch.index_N.to(device), batch.targets_N.to(device))
    parts = losses_N.double().cpu().split([example.num_targets for example in group])
    return [-float(losses.mean()) for losses in parts]
