"""A cell as it is planned: what every way of running it starts from."""

from __future__ import annotations

from dataclasses import dataclass

from rft.config import StudyConfig
from rft.plan.cell import CellPlan
from rft.plan.sources import Sources


@dataclass(frozen=True)
class PlannedCell:
    """A configuration, what planning looked up outside it, and the plan."""

    cfg: StudyConfig
    sources: Sources
    plan: CellPlan
