"""What a training step will hold in memory, before one is made: weights, gradients, moments, activations.

    needed = training_memory(model, part, micro_batch_tokens=8192)
    needed.total, needed.activations        # bytes

Activations are counted, not guessed: forward passes over a small micro-batch and half of it, with a hook on whatever
autograd saves; the straight line through the two leads to the micro-batch of the training. So they hold for any
architecture, for adapters, mixed precision and the loss's logits, and for a model that has shapes and no numbers
(rft.core.shapes). What the backward pass holds for a moment is taken as twice the largest saved tensor. With gradient
checkpointing one layer's activations come on top, which are made again for its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from rft.core.batching import MicroBatch, take_rows
from rft.core.model import Model, count_parameters, count_trainable
from rft.core.recomputing import is_recomputing, recompute_layers
from rft.core.team import ALONE, layers_of

MOMENTS = 2  # of AdamW, of each trained weight
FLOAT = 4  # bytes of weights, gradients and moments
GATHERED_LAYERS = 2  # the one that computes and the next, which FSDP2 fetches meanwhile


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes."""

    weights: int
    gradients: int
    moments: int
    activations: int
    gathered: int = 0  # whole weights and gradients that a process with shards holds for a moment

    @property
    def total(self) -> int:
        """All together."""
        return self.weights + self.gradients + self.moments + self.activations + self.gathered


def training_memory(
    model: Model, part: MicroBatch, *, micro_batch_tokens: int, autocast: str | None = None, shards: int = 1
) -> TrainingMemory:
    """Of a step of the model as it is (frozen weights, adapters, gradient checkpointing), measured on `part`.

    `shards`: processes over which weights, gradients and moments are spread.
    """
    counted = Counted.of(model, part, autocast=autocast)
    num_tokens = max(micro_batch_tokens, part.inputs_BT.numel())  # a long example stands alone in a larger one
    return counted.memory(num_tokens, shards=shards, recomputing=counted.recomputed is not None)


@dataclass(frozen=True)
class Saved:
    """Bytes that a forward pass saves for its gradient; the model's own weights do not count."""

    tokens: float  # of the micro-batch
    saved: float
    each: float  # of a token more
    largest: float  # of what grows with the micro-batch: weights in the type of the products do not

    def at(self, num_tokens: int) -> Saved:
        """Of a micro-batch of so many tokens."""
        more = num_tokens - self.tokens
        largest = self.largest * (1 + more / self.tokens)
        return Saved(self.tokens + more, self.saved + self.each * more, self.each, largest)

    def along(self, other: Saved, share: float) -> Saved:
        """On the straight line from this one to another."""
        return Saved(*(a + share * (b - a) for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Counted:
    """What decides the memory of a model's training, counted on it."""

    weights: int
    trained: int
    gathered: int  # numbers, of weights and gradients that are whole for a moment where the rest is in shards
    layers: int
    plain: Saved
    recomputed: Saved | None  # with gradient checkpointing, of a model that has it on

    @staticmethod
    def of(model: Model, part: MicroBatch, *, autocast: str | None) -> Counted:
        """The model is afterwards as it was."""
        layers, recomputed = layers_of(model), None
        if is_recomputing(model):
            recomputed = _saved_line(model, part, autocast=autocast)
            recompute_layers(model, on=False)
            try:
                plain = _saved_line(model, part, autocast=autocast)
            finally:
                recompute_layers(model, on=True)
        else:
            plain = _saved_line(model, part, autocast=autocast)
        weights = count_parameters(model).total
        return Counted(weights, count_trainable(model), _gathered(model), len(layers), plain, recomputed)

    def memory(self, num_tokens: int, *, shards: int, recomputing: bool) -> TrainingMemory:
        """Of micro-batches of so many tokens."""
        trained = FLOAT * self.trained // shards
        return TrainingMemory(
            weights=FLOAT * self.weights // shards,
            gradients=trained,
            moments=MOMENTS * trained,
            activations=self._activations(num_tokens, recomputing=recomputing),
            gathered=FLOAT * self.gathered if shards > 1 else 0,
        )

    def _activations(self, num_tokens: int, *, recomputing: bool) -> int:
        plain = self.plain.at(num_tokens)
        if not recomputing:
            return int(plain.saved + 2 * plain.largest)
        assert self.recomputed is not None
        kept = self.recomputed.at(num_tokens)
        one_layer = (plain.saved - kept.saved) / max(1, self.layers)
        return int(kept.saved + one_layer + 2 * kept.largest)


def deeper(one: Counted, two: Counted, *, layers: int) -> Counted:
    """What a model of so many layers would count, from two of equal layers that have fewer: all of it grows by the layer."""
    share = (layers - one.layers) / (two.layers - one.layers)
    recomputed = None
    if one.recomputed is not None and two.recomputed is not None:
        recomputed = one.recomputed.along(two.recomputed, share)
    return Counted(
        weights=round(one.weights + share * (two.weights - one.weights)),
        trained=round(one.trained + share * (two.trained - one.trained)),
        gathered=one.gathered,
        layers=layers,
        plain=one.plain.along(two.plain, share),
        recomputed=recomputed,
    )


def _gathered(model: Model) -> int:
    """Of each layer in turn, and for the whole pass of what lies outside the layers (rft.core.team)."""
    layers: list[Sequence[torch.Tensor]] = [list(layer.parameters()) for layer in layers_of(model)]
    inside = {id(one) for layer in layers for one in layer}
    outside = [one for one in model.parameters() if id(one) not in inside]
    largest = max(layers, key=_numbers, default=[])
    learning = [one for one in (*largest, *outside) if one.requires_grad]
    return GATHERED_LAYERS * _numbers(largest) + _numbers(outside) + _numbers(learning)


def _numbers(weights: Sequence[torch.Tensor]) -> int:
    return sum(weight.numel() for weight in weights)


def _saved_line(model: Model, part: MicroBatch, *, autocast: str | None) -> Saved:
    """Of a micro-batch, and how it grows."""
    whole = _saved(model, part, autocast=autocast)
    half = take_rows(part, range((len(part.inputs_BT) + 1) // 2))
    measured, measured_half = part.inputs_BT.numel(), half.inputs_BT.numel()
    if measured_half == measured:
        return replace(whole, each=whole.saved / measured)
    fewer = _saved(model, half, autocast=autocast)
    return replace(whole, each=(whole.saved - fewer.saved) / (measured - measured_half))


def _saved(model: Model, part: MicroBatch, *, autocast: str | None) -> Saved:
    """Counted in one forward pass."""
    own = {_place(parameter) for parameter in model.parameters()}
    shapes = {shape for one in model.parameters() if one.ndim > 1 for shape in (one.shape, one.shape[::-1])}
    held: dict[int, torch.Tensor] = {}  # alive until the pass is over, so that no place comes twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if _place(tensor) not in own:
            held.setdefault(_place(tensor), tensor)
        return tensor

    was_training = model.training
    model.train()
    mode, part = _in_mode_of(model, part)
    with (
        mode,
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast(model.device.type, dtype=torch.bfloat16, enabled=autocast == "bfloat16"),
    ):
        ALONE.wrap(model)(part)
    model.train(was_training)
    sizes = {place: one.untyped_storage().nbytes() for place, one in held.items()}
    casts = {place for place, one in held.items() if one.shape in shapes and one.dtype == torch.bfloat16}
    largest = max((size for place, size in sizes.items() if place not in casts), default=0)
    return Saved(part.inputs_BT.numel(), sum(sizes.values()), 0.0, largest)


def _place(tensor: torch.Tensor) -> int:
    """Of the storage, whether or not it has an address."""
    return int(tensor.untyped_storage()._cdata)


def _in_mode_of(model: Model, part: MicroBatch) -> tuple[Any, MicroBatch]:
    """The mode of a model without numbers, and the micro-batch in it; nothing for a real model."""
    mode = getattr(next(model.parameters()), "fake_mode", None)
    if mode is None:
        return nullcontext(), part
    given = {one.name: getattr(part, one.name) for one in fields(part)}
    return mode, replace(part, **{name: mode.from_tensor(one) for name, one in given.items() if one is not None})
