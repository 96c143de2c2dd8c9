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

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rft.core import OnProgress
from rft.core.batching import Step
from rft.core.devices import to_device
from rft.core.dropout import without_dropout
from rft.core.forward import target_loss_sum
from rft.core.fused_norms import fused_norms
from rft.core.model import Model
from rft.core.muon import Muon

Log = Callable[[dict[str, Any]], None]

SCHEDULES = ("cosine", "linear", "constant")


class TrainingDivergedError(RuntimeError):
    """The loss became NaN or infinite."""


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
) -> TrainResult:
    """Train in place, without dropout, over exactly `settings.num_steps` steps. Deterministic: all randomness is in the
    steps' order.

    Raises ValueError for settings out of range, TrainingDivergedError when a loss is not finite.
    """
    _check(settings)
    was_training = model.training
    model.train()
    without_dropout(model)
    _learn_every_embedding(model)
    optimizers = make_optimizers(model, settings)
    started = time.perf_counter()
    target_tokens = input_tokens = num_steps = 0
    loss = math.nan
    with fused_norms(model):
        for number, step in enumerate(_take(steps, settings.num_steps)):
            lr = learning_rate(number, settings)
            loss = _update(model, step, optimizers=optimizers, lr=lr, settings=settings, number=number)
            num_steps = number + 1
            target_tokens += sum(len(part.targets_N) for part in step)
            input_tokens += sum(part.inputs_BT.numel() for part in step)
            if log is not None:
                elapsed_s = round(time.perf_counter() - started, 3)
                log(
                    {
                        "step": num_steps,
                        "loss_nats": loss,
                        "lr": lr,
                        "target_tokens": target_tokens,
                        "elapsed_s": elapsed_s,
                    }
                )
            if progress is not None:
                progress(num_steps, settings.num_steps)
    model.train(was_training)
    return TrainResult(num_steps, target_tokens, input_tokens, loss, time.perf_counter() - started)


class StepLoss:
    """The loss of a step whose gradients are queued: a GPU is waited for when its value is read, not before."""

    def __init__(self, sums: Sequence[torch.Tensor], num_targets: float) -> None:
        self._sums = sums
        self._num_targets = num_targets

    def nats(self) -> float:
        """The mean over the step's target tokens, by their weights."""
        return sum((loss_sum.item() for loss_sum in self._sums), start=0.0) / self._num_targets


def accumulate(model: Model, step: Step, *, autocast: str | None = None) -> StepLoss:
    """Add the gradient of the step's mean loss over ALL its target tokens, by their weights; returns that loss."""
    device = model.device
    num_targets = sum(len(part.targets_N) if part.weights_N is None else part.weights_N.sum().item() for part in step)
    sums = []
    for part in step:
        inputs_BT, index_N, targets_N = (to_device(t, device) for t in (part.inputs_BT, part.index_N, part.targets_N))
        positions_BT = None if part.positions_BT is None else to_device(part.positions_BT, device)
        weights_N = None if part.weights_N is None else to_device(part.weights_N, device)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=autocast == "bfloat16"):
            loss_sum = target_loss_sum(
                model, inputs_BT, index_N, targets_N, positions_BT=positions_BT, weights_N=weights_N
            )
        (loss_sum / num_targets).backward()
        sums.append(loss_sum.detach())
    return StepLoss(sums, num_targets)


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
    model: Model,
    step: Step,
    *,
    optimizers: list[torch.optim.Optimizer],
    lr: float,
    settings: TrainSettings,
    number: int,
) -> float:
    loss = accumulate(model, step, autocast=settings.autocast)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    if settings.grad_clip > 0:
        parameters = [parameter for group in groups for parameter in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, settings.grad_clip)
    for group in groups:
        group["lr"] = lr * group["lr_ratio"]
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    nats = loss.nats()  # after the update is queued, so that a GPU never waits for the next launch
    if not math.isfinite(nats):
        raise TrainingDivergedError(
            f"the loss is {nats} at step {number + 1} of {settings.num_steps} (lr {lr:.3g}): lower the learning rate, or "
            "check the weights it started from"
        )
    return nats


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
