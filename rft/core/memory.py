"""What a training step will hold in memory, before one is made: weights, gradients, moments, activations.

    needed = training_memory(model, part, micro_batch_tokens=8192)
    needed.total, needed.activations        # bytes

Activations are counted, not guessed: one forward pass over a small micro-batch, with a hook on whatever autograd saves,
scaled to the micro-batch of the training. So they hold for any architecture, for adapters, mixed precision and the loss's
logits. What the backward pass holds for a moment is taken as twice the largest saved tensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rft.core.batching import MicroBatch
from rft.core.model import Model, count_parameters, count_trainable
from rft.core.team import ALONE

MOMENTS = 2  # of AdamW, of each trained weight
FLOAT = 4  # bytes of weights, gradients and moments


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes."""

    weights: int
    gradients: int
    moments: int
    activations: int

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.gradients + self.moments + self.activations


def training_memory(
    model: Model, part: MicroBatch, *, micro_batch_tokens: int, autocast: str | None = None, shards: int = 1
) -> TrainingMemory:
    """Of a step of the model as it is (frozen weights, adapters, gradient checkpointing), measured on `part`.

    `shards`: processes over which weights, gradients and moments are spread.
    """
    trained = FLOAT * count_trainable(model) // shards
    saved, largest = _saved_bytes(model, part, autocast=autocast)
    times = max(1.0, micro_batch_tokens / part.inputs_BT.numel())
    return TrainingMemory(
        weights=FLOAT * count_parameters(model).total // shards,
        gradients=trained,
        moments=MOMENTS * trained,
        activations=int(times * (saved + 2 * largest)),
    )


def _saved_bytes(model: Model, part: MicroBatch, *, autocast: str | None) -> tuple[int, int]:
    """(bytes of all that a forward pass saves for its gradient, bytes of the largest of it); weights do not count."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    held: dict[int, torch.Tensor] = {}  # alive until the pass is over, so that no address comes twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in own:
            held.setdefault(address, tensor)
        return tensor

    was_training = model.training
    model.train()
    device = model.device
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=autocast == "bfloat16"),
    ):
        ALONE.wrap(model)(part)
    model.train(was_training)
    sizes = [tensor.untyped_storage().nbytes() for tensor in held.values()]
    return sum(sizes), max(sizes, default=0)
