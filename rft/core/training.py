"""The one training loop: pretraining, SFT and RFT are the same `train` on different steps.

    settings = TrainSettings(num_steps=100, lr=1e-3, warmup_frac=0.03, schedule="cosine", weight_decay=0.0, grad_clip=1.0)
    steps = example_steps(encoded, batch_size=32, num_steps=100, seed=0, micro_batch_tokens=4096)
    result = train(model, steps, settings=settings, log=rows.append)

A row of the curve:
    {"step": 12, "loss_nats": 1.934, "lr": 0.00097, "target_tokens": 18304, "elapsed_s": 3.1}
`loss_nats` is the mean over the step's target tokens, by their weights where they have some, before its update;
`target_tokens` and `elapsed_s` are running totals.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from rft.core import OnProgress
from rft.core.accumulation import Accumulator, OutOfMemoryError, is_out_of_memory, no_memory
from rft.core.batching import Step
from rft.core.divergence import LossWatch, TrainingDivergedError
from rft.core.dropout import without_dropout
from rft.core.fused_norms import fused_norms
from rft.core.model import Model
from rft.core.muon import Muon
from rft.core.resuming import Optimizers, SavedState, Standing
from rft.core.team import ALONE, Team

Log = Callable[[dict[str, Any]], None]
Keep = Callable[[Standing, Optimizers], None]  # told where training stands after each step but the last

SCHEDULES = ("cosine", "linear", "constant")


@dataclass(frozen=True)
class TrainSettings:
    """How the optimiser moves. AdamW with betas (0.9, beta2); decay on matrices only, never on norms.

    With `matrix_lr`, Muon (rft.core.muon) moves the hidden matrices at that peak rate and AdamW the rest.
    """

    num_steps: int
    lr: float  # peak
    warmup_frac: float  # share of the steps in linear warm-up, rounded up
    schedule: str  # cosine | linear | constant: after warm-up, to 0 (constant: none)
    weight_decay: float
    grad_clip: float  # largest gradient norm; 0: no clipping
    beta2: float = 0.999
    autocast: str | None = None  # 'bfloat16': products in it, weights and optimiser in float32
    matrix_lr: float | None = None  # peak, of Muon on hidden matrices; None: AdamW moves all


@dataclass(frozen=True)
class TrainResult:
    """What a run of the loop did."""

    num_steps: int
    target_tokens: int  # tokens that carried loss
    input_tokens: int  # padded positions of all forward passes
    final_loss_nats: float  # mean over the last step's target tokens, before its update
    elapsed_s: float
    halvings: int = 0  # how often micro-batches were cut in two because memory ran out


def learning_rate(step: int, settings: TrainSettings) -> float:
    """The learning rate of 0-based `step`: warm-up from lr/warmup to lr, then the schedule; never 0 on a real step."""
    warmup = math.ceil(settings.warmup_frac * settings.num_steps)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    done = (step - warmup) / max(1, settings.num_steps - warmup)
    if settings.schedule == "cosine":
        return settings.lr * 0.5 * (1.0 + math.cos(math.pi * done))
    if settings.schedule == "linear":
        return settings.lr * (1.0 - done)
    return settings.lr


def train(
    model: Model,
    steps: Iterable[Step],
    *,
    settings: TrainSettings,
    log: Log | None = None,
    progress: OnProgress | None = None,
    start: SavedState | None = None,
    keep: Keep | None = None,
    team: Team = ALONE,
) -> TrainResult:
    """Train in place, without dropout, over exactly `settings.num_steps` steps. Deterministic: all randomness is in the
    steps' order. From `start` on it trains as if it had never stopped; `steps` are then those that are left.

    Raises ValueError for settings out of range, TrainingDivergedError when the loss explodes, OutOfMemoryError.
    """
    _check(settings)
    was_training = model.training
    model.train()
    without_dropout(model)
    _learn_every_embedding(model)
    accumulate = Accumulator(model, autocast=settings.autocast, team=team)  # shards weights, before they have moments
    optimizers = make_optimizers(model, settings)
    watch, now = LossWatch(), Standing()
    if start is not None:
        start.restore(model, optimizers)
        now = dataclasses.replace(start.standing)
        for row in start.curve:
            watch.fault(row["loss_nats"])
    accumulate.halvings = now.halvings
    started = time.perf_counter() - now.elapsed_s
    with fused_norms(model):
        for step in _take(steps, settings.num_steps - now.num_steps):
            lr = learning_rate(now.num_steps, settings)
            now.loss_nats = _update(step, accumulate, optimizers=optimizers, lr=lr, settings=settings)
            now.num_steps += 1
            _refuse_explosion(watch.fault(now.loss_nats), now, lr=lr, settings=settings)
            now.target_tokens += sum(len(part.targets_N) for part in step)
            now.input_tokens += sum(part.inputs_BT.numel() for part in step)
            now.elapsed_s, now.halvings = time.perf_counter() - started, accumulate.halvings
            if log is not None:
                log(_row(now, lr=lr))
            if progress is not None:
                progress(now.num_steps, settings.num_steps)
            if keep is not None and now.num_steps < settings.num_steps and not watch.num_high:
                keep(now, optimizers)
    model.train(was_training)
    return TrainResult(
        now.num_steps, now.target_tokens, now.input_tokens, now.loss_nats, now.elapsed_s, accumulate.halvings
    )


def _row(now: Standing, *, lr: float) -> dict[str, Any]:
    """A row of the curve."""
    return {
        "step": now.num_steps,
        "loss_nats": now.loss_nats,
        "lr": lr,
        "target_tokens": now.target_tokens,
        "elapsed_s": round(now.elapsed_s, 3),
    }


def _refuse_explosion(fault: str | None, now: Standing, *, lr: float, settings: TrainSettings) -> None:
    if fault is not None:
        raise TrainingDivergedError(
            f"the loss is {now.loss_nats:.4g} at step {now.num_steps} of {settings.num_steps} (lr {lr:.3g}): it {fault}"
        )


def make_optimizers(model: Model, settings: TrainSettings) -> list[torch.optim.Optimizer]:
    """AdamW over the trainable parameters, decay on matrices only, in torch's fused implementation; with `matrix_lr` Muon
    over the hidden matrices and AdamW over embeddings, head and norms.

    Each group says as `lr_ratio` what its learning rate is in units of the schedule's.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    hidden = [] if settings.matrix_lr is None else _hidden_matrices(model)
    moved = {id(matrix) for matrix in hidden}
    others = [parameter for parameter in parameters if id(parameter) not in moved]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": settings.weight_decay, "lr_ratio": 1.0},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0, "lr_ratio": 1.0},
    ]
    groups = [group for group in groups if group["params"]]
    adamw = torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, settings.beta2), fused=True)
    if settings.matrix_lr is None:
        return [adamw]
    ratio = settings.matrix_lr / settings.lr
    return [adamw, Muon([{"params": hidden, "lr_ratio": ratio}], lr=settings.matrix_lr)]


def _hidden_matrices(model: Model) -> list[torch.nn.Parameter]:
    """The trainable matrices of a network but its embeddings and output head, tied or not."""
    tables = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    head = model.get_output_embeddings()
    outer = {id(weight) for weight in (*tables, *([] if head is None else [head.weight]))}
    return [p for p in model.parameters() if p.requires_grad and p.ndim == 2 and id(p) not in outer]


def _update(
    step: Step,
    accumulate: Accumulator,
    *,
    optimizers: list[torch.optim.Optimizer],
    lr: float,
    settings: TrainSettings,
) -> float:
    """Move the weights by one step; returns the mean loss before it."""
    loss = accumulate(step)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    if settings.grad_clip > 0:
        parameters = [parameter for group in groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, settings.grad_clip)
    for group in groups:
        group["lr"] = lr * group["lr_ratio"]
    for optimizer in optimizers:
        try:
            optimizer.step()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(no_memory("the optimiser's moments, two numbers a trained weight")) from error
        optimizer.zero_grad(set_to_none=True)
    return loss.nats()  # after the update is queued, so that a GPU never waits for the next launch


def _learn_every_embedding(model: Model) -> None:
    """Hugging Face drops the embedding gradient of the padding id. Padding never reaches a loss here, and where it shares
    its id with end of sequence that gradient is real."""
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None


def _take(steps: Iterable[Step], count: int) -> Iterator[Step]:
    """Exactly `count` steps; running short would train less than the record says."""
    iterator = iter(steps)
    for number in range(count):
        step = next(iterator, None)
        assert step is not None, f"steps ran out after {number} of {count}"
        yield step


def _check(settings: TrainSettings) -> None:
    if settings.num_steps < 1:
        raise ValueError(f"training needs at least 1 step, got {settings.num_steps}")
    if settings.schedule not in SCHEDULES:
        raise ValueError(f"train.schedule {settings.schedule!r} is not one of {', '.join(SCHEDULES)}")
    if not 0 <= settings.warmup_frac < 1:
        raise ValueError(f"train.warmup_frac must lie in [0, 1), got {settings.warmup_frac}")
    if not settings.lr > 0:
        raise ValueError(f"the learning rate must be positive, got {settings.lr}")
    if settings.autocast not in (None, "bfloat16"):
        raise ValueError(f"autocast {settings.autocast!r} is not one of null, bfloat16")
