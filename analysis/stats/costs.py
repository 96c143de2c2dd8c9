"""What a cell cost: which stages made its model, in FLOPs and hours.

method_cost(cell)      # (2.1e12, 0.4): FLOPs and hours beyond the base model
"""

from __future__ import annotations

from analysis.load.cells import BASE_STAGES, Cell
from rft.records import StageCost

SHARED = ("data", "corpus", *BASE_STAGES, "loss")  # stages that a further replicate finds finished
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
    return sum(s.used * s.flops for s in stages), sum(s.used * s.seconds for s in stages) / 3600
