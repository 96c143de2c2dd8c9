"""Weights: what every stage that makes a model has in common, and a finished model's folder.

work.open(base).folder          # a Hugging Face folder
work.open(base).facts           # ModelFacts(num_params=122688, num_params_non_embedding=106816, flops_per_token=245376.0)
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rft.records import CURVE_FILE, read_json, read_jsonl, write_json
from rft.stages.stage import Stage, StageContext

if TYPE_CHECKING:
    from rft.core.fitting import Upkeep
    from rft.core.model import Model

MODEL_FACTS_FILE = "model_facts.json"


@dataclass(frozen=True)
class ModelFacts:
    """Counts of a model, measured."""

    num_params: int
    num_params_non_embedding: int
    flops_per_token: float  # of a forward pass

    def write(self, folder: Path) -> None:
        """Write the counts beside the weights."""
        write_json(folder / MODEL_FACTS_FILE, dataclasses.asdict(self))

    @staticmethod
    def of(model: Model) -> ModelFacts:
        """The counts of a loaded model."""
        from rft.core.model import count_parameters, forward_flops_per_token

        count = count_parameters(model)
        return ModelFacts(count.total, count.non_embedding, forward_flops_per_token(model))


@dataclass(frozen=True)
class CurvePoint:
    """One row of `curve.jsonl`, as rft.core.training logs it."""

    step: int
    loss_nats: float  # mean over the step's target tokens, before its update
    lr: float
    target_tokens: int  # running total
    elapsed_s: float  # running total


@dataclass(frozen=True)
class ModelFolder:
    """A finished model."""

    folder: Path

    @property
    def facts(self) -> ModelFacts:
        """Its counts."""
        return ModelFacts(**read_json(self.folder / MODEL_FACTS_FILE))

    def curve(self) -> list[CurvePoint]:
        """Points of its training; empty where it was imported."""
        path = self.folder / CURVE_FILE
        return [CurvePoint(**row) for row in read_jsonl(path)] if path.exists() else []


@dataclass(frozen=True, eq=False, kw_only=True)
class Weights(Stage[ModelFolder]):
    """A stage that makes a model."""

    def upkeep(
        self, work: StageContext, *, rate_key: str, flops_per_step: float, whole_matrices: bool = False
    ) -> Upkeep:
        """What its training tells and keeps (rft.core.fitting). `whole_matrices`: its optimiser cannot move shards."""
        from rft.core.fitting import Upkeep
        from rft.infra.devices import resolve_device

        shard = work.runtime.shard and not whole_matrices
        return Upkeep(
            stage=f"stage {self.kind} {self.key[:8]} ({self.label})",
            rate_key=rate_key,
            report=work.report,
            log=work.log,
            points=work.points,
            checkpoint_s=60.0 * work.runtime.checkpoint_minutes,
            flops_per_step=flops_per_step,
            processes=work.runtime.processes,
            shard=shard,
            device=resolve_device(work.runtime.device) if shard else None,
            gradient_checkpointing=work.runtime.gradient_checkpointing,
        )

    def read(self, folder: Path) -> ModelFolder:
        return ModelFolder(folder)
