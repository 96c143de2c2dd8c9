"""What every stage that trains does after it has a model and its steps: train, write the weights and the curve.

    upkeep = Upkeep(stage="finetune nano-s sft", rate_key="train.lr", report=work.report, log=work.log, points=work.points)
    result = fit(model, steps_from, tokenizer=tokenizer, settings=settings, seed=0, out=out, upkeep=upkeep)

`steps_from(40)` gives the steps from the 41st on. `curve.jsonl` has rows {"step", "loss_nats", "lr", "target_tokens",
"elapsed_s"}. With `points`, a training whose process was killed goes on from its last checkpoint (rft.core.resuming).
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rft.core.batching import Step
from rft.core.divergence import TrainingDivergedError
from rft.core.lora import merge_lora
from rft.core.model import Model, save_model
from rft.core.recomputing import recompute_layers
from rft.core.resuming import Optimizers, SavedState, Standing, state_tensors, write_state
from rft.core.seeding import seed_torch
from rft.core.team import ALONE, Team, unshard
from rft.core.tokenization import Tokenizer
from rft.core.training import TrainResult, TrainSettings, train
from rft.records import CURVE_FILE, write_jsonl

Log = Callable[[Mapping[str, Any]], None]


class Points(Protocol):
    """Where checkpoints lie (rft.infra.resume)."""

    def latest(self) -> Path | None:
        """The newest whole one."""
        ...

    def save(self, write: Callable[[Path], None], *, number: int) -> bool:
        """Replace it by one that `write` fills."""
        ...


@dataclass(frozen=True)
class Upkeep:
    """What a training tells, to whom, and how it outlives its process."""

    stage: str  # in words
    rate_key: str  # the configuration's key of its learning rate
    report: Callable[[float], None]  # share of the work done
    log: Log | None = None  # every row of the curve as it is made, with the steps to come and the FLOPs so far
    points: Points | None = None
    checkpoint_s: float = 600.0  # between two checkpoints
    flops_per_step: float = 0.0
    processes: int = 1  # that train together, this being one of them
    shard: bool = False  # each of them holds a part of the weights, gradients and moments
    device: str | None = None  # of the shards, cut from a model that lies on the processor; None: where the model is
    gradient_checkpointing: bool = False  # activations of a layer are computed again for its gradient


@dataclass(frozen=True)
class Fit:
    """A finished training."""

    result: TrainResult
    earlier_s: float  # of its time, spent in processes that were killed


def fit(
    model: Model,
    steps_from: Callable[[int], Iterable[Step]],
    *,
    tokenizer: Tokenizer,
    settings: TrainSettings,
    seed: int,
    out: Path,
    upkeep: Upkeep,
) -> Fit:
    """Train over the steps; leaves a plain Hugging Face folder (adapters merged) and the curve in `out`.

    Raises what `train` raises, with the stage, its last checkpoint and the setting to change.
    """
    device = upkeep.device or model.device.type
    team = Team.join(sharded=upkeep.shard, device=device) if upkeep.processes > 1 else ALONE
    seed_torch(seed)  # for what a model may draw besides dropout, such as a router's jitter
    if upkeep.gradient_checkpointing:
        recompute_layers(model, on=True)
    start = _found(model, upkeep.points)
    curve = _Curve(upkeep, settings, start)
    keeper = _Keeper(model, upkeep, curve.rows, team)
    try:
        result = train(
            model,
            steps_from(0 if start is None else start.standing.num_steps),
            settings=settings,
            log=curve.add,
            progress=lambda done, total: upkeep.report(done / total),
            start=start,
            keep=None if upkeep.points is None else keeper.offer,
            team=team,
        )
    except TrainingDivergedError as error:
        raise TrainingDivergedError(_advice(str(error), upkeep)) from error
    if team.sharded:
        unshard(model)
    if team.rank == 0:
        save_model(merge_lora(model), tokenizer, out)
        write_jsonl(out / CURVE_FILE, curve.rows)
    return Fit(result, 0.0 if start is None else start.standing.elapsed_s)


def _found(model: Model, points: Points | None) -> SavedState | None:
    """The checkpoint to go on from."""
    folder = None if points is None else points.latest()
    saved = None if folder is None else SavedState.read(folder)
    return saved if saved is not None and saved.fits(model) else None


class _Curve:
    """The rows so far, each told once they are made; those of a checkpoint again, with their own times."""

    def __init__(self, upkeep: Upkeep, settings: TrainSettings, start: SavedState | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._upkeep, self._num_steps = upkeep, settings.num_steps
        if start is not None:
            began_s = time.time() - start.standing.elapsed_s
            for row in start.curve:
                self._add(row, {"time": round(began_s + row["elapsed_s"], 3)})

    def add(self, row: dict[str, Any]) -> None:
        """One more row."""
        self._add(row, {})

    def _add(self, row: dict[str, Any], also: Mapping[str, Any]) -> None:
        self.rows.append(row)
        if self._upkeep.log is not None:
            flops = row["step"] * self._upkeep.flops_per_step
            self._upkeep.log({**row, "num_steps": self._num_steps, "flops": flops, **also})


class _Keeper:
    """Writes a checkpoint now and then."""

    def __init__(self, model: Model, upkeep: Upkeep, curve: list[dict[str, Any]], team: Team) -> None:
        self._model, self._upkeep, self._curve, self._team = model, upkeep, curve, team
        self._last_s = time.monotonic()

    def offer(self, now: Standing, optimizers: Optimizers) -> None:
        """Called after a step: time enough since the last one?"""
        assert self._upkeep.points is not None
        due = time.monotonic() - self._last_s >= self._upkeep.checkpoint_s
        if not self._team.agreed(due, device=self._model.device):
            return
        tensors = state_tensors(self._model, optimizers)
        if self._team.rank == 0:
            write = functools.partial(write_state, tensors=tensors, standing=now, curve=self._curve)
            self._upkeep.points.save(write, number=now.num_steps)
        self._last_s = time.monotonic()


def _advice(fault: str, upkeep: Upkeep) -> str:
    folder = None if upkeep.points is None else upkeep.points.latest()
    kept = "there is no checkpoint from before" if folder is None else f"the last good checkpoint is {folder}"
    return (
        f"{upkeep.stage}: {fault}; {kept}. Lower {upkeep.rate_key}, or check the weights and data that it starts from"
    )
