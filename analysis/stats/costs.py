"""What a cell cost: which stages made its model, in FLOPs and hours.

method_cost(cell)      # (2.1e12, 0.4): FLOPs and hours beyond the base model
own_hours(point), base_hours(point)      # (0.02, 0.1): of one more replicate, of one more draw of its base
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.load.cells import BASE_STAGES, Cell
from analysis.load.points import Point
from rft.records import StageCost

SHARED = ("data", "corpus", *BASE_STAGES, "loss")  # stages that a further replicate finds finished
SECONDS_PER_HOUR = 3600.0
SCORING = ("evaluate", "vote")  # on the way, such as choosing epochs on validation problems


def making(cell: Cell) -> list[StageCost]:
    """Stages that make the model: all up to its last fine-tuning. What follows, the draws of a vote too, only measures it."""
    last = max((i for i, stage in enumerate(cell.cost) if stage.name == "finetune"), default=-1)
    return [s for i, s in enumerate(cell.cost) if i <= last or cell.source is not None]  # published: no draws of votes


def method_cost(cell: Cell) -> tuple[float, float] | None:
    """(FLOPs, hours) from the base to the finished model: fine-tuning, sampling, selecting; None without fine-tuning."""
    stages = [s for s in making(cell) if s.name not in (*SHARED, *SCORING)]
    if not any(s.name == "finetune" for s in stages):
        return None
    return sum(s.used * s.flops for s in stages), sum(s.used * s.seconds for s in stages) / SECONDS_PER_HOUR


def own_hours(point: Point) -> float:
    """Mean hours of the stages that a new replicate of this setting has to run itself."""
    seconds = [sum(s.seconds for s in cell.cost if s.name not in SHARED) for cell in point.cells]
    return float(np.mean(seconds)) / SECONDS_PER_HOUR


def all_hours(points: Sequence[Point]) -> float:
    """Hours of every point once more; 0, unknown, where the cost of one of them is."""
    hours = [own_hours(point) for point in points]
    return sum(hours) if all(hours) else 0.0


def base_hours(point: Point) -> float:
    """Hours of pretraining."""
    return sum(s.seconds for s in point.cell.cost if s.name in SHARED) / SECONDS_PER_HOUR
