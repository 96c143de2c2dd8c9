"""What a cell cost to make: which stages its model is made of, in FLOPs and seconds.

    cost_of(cell)                  # Cost(flops=2.1e12, seconds=1440.0, evaluation=False): beyond the base model
    time_unit([1440.0, 380.0])     # ('minutes', 60.0)

A method is charged with what it needs to be made. The sampling that fixed how many steps or problems a control takes is not
among it: who wants the control alone needs the number and not the samples. Nor is the making or reading of problems, which
all cells have in common. In-context learning makes no model; it stands at
the cost of its evaluation, the one thing it spends beyond the base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.load.cells import BASE_STAGES, Cell
from rft.records import StageCost

# Kinds of stages, as rft/stages names them: tests/analysis/compare/test_costs.py holds them to it
DRAWN = ("corpus", *BASE_STAGES, "loss")  # what a further draw of the base has to compute
GIVEN = ("world_problems", "file_problems", "mixture", "part", "own_ids", "leakage", "golds", "perturb", "heldout")
SHARED = (*DRAWN, *GIVEN)  # what a further replicate finds finished: problems and held-out text are the same for all
SAMPLING = ("shard", "deal", "dealt_shard", "served_shard", "imported_samples")
SETS = (
    "human_set",
    "holdout",
    "matched_set",
    "kept_set",
    "fresh_set",
    "oracle_set",
    "query_set",
    "reverse_set",
    "revise_set",
    "within_limit",
)  # what models are trained on
SELECTING = ("select", "scores", "choose", "thin", "relabel")
# Every kind of stage, roughly as a study comes to them
IN_ORDER = (*GIVEN, *DRAWN, *SETS, "tuning", "finetune", *SAMPLING, *SELECTING, "evaluate", "vote")
UNITS = (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0))


@dataclass(frozen=True)
class Cost:
    """Beyond the base model and the problems."""

    flops: float
    seconds: float
    evaluation: bool  # no model is made: what is counted is its evaluation


def making(cell: Cell) -> list[StageCost]:
    """Stages that its model is made of; none where the record does not say, as records of an earlier version do not."""
    return [stage for stage in cell.cost if stage.makes]


def cost_of(cell: Cell) -> Cost | None:
    """What a cell's model cost, or a method's evaluation that makes none; None where that is not known."""
    stages = [stage for stage in making(cell) if stage.name not in SHARED]
    if any(stage.name == "finetune" for stage in stages):
        return _sum(stages, evaluation=False)
    asked = [stage for stage in cell.cost if stage.name == "evaluate" and stage.makes is False]
    return _sum(asked, evaluation=True) if asked and not stages else None


def _sum(stages: Sequence[StageCost], *, evaluation: bool) -> Cost:
    return Cost(
        sum(stage.used * stage.flops for stage in stages),
        sum(stage.used * stage.seconds for stage in stages),
        evaluation,
    )


def time_unit(seconds: Sequence[float]) -> tuple[str, float]:
    """(name, seconds in it) of the largest unit of which the middle value has two or more."""
    middle = float(np.median(seconds))
    return next((unit for unit in UNITS if middle >= 2 * unit[1]), UNITS[-1])
