"""What is said of cells: of their plan, of finished stages that they would use, and of what was found in making them.

print(plan_told(cells, store=store, workers=8, num_jobs=12))     # stages and their cost; on request GPUs
tell_drift(cells, store=store)       # before anything runs
tell_found(cells, store=store)       # when all has run
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rft.execute.code import drift_lines
from rft.execute.donors import tell_donors
from rft.execute.edges import tell_edges
from rft.execute.planned import PlannedCell
from rft.infra.stage_store import StageStore
from rft.plan.gpu_hours import hours_text
from rft.plan.paper_costs import comparison_text
from rft.plan.show import plan_text
from rft.stages.stage import in_order

log = logging.getLogger("rft")


def plan_told(cells: Sequence[PlannedCell], *, store: StageStore, workers: int = 1, num_jobs: int | None = None) -> str:
    """As `plan` of the first cell's configuration asks for; `num_jobs`: that asked for the cells."""
    cfg, plans = cells[0].cfg, [cell.plan for cell in cells]
    told = [plan_text(plans, store=store, runtime=cfg.runtime, workers=workers, num_jobs=num_jobs)]
    if cfg.plan.compare == "table4":
        told.append(comparison_text(plans))
    if cfg.plan.gpu_gb is not None:
        from rft.execute.memory_plan import memory_text  # imports torch

        stages = in_order(target for one in plans for target in one.targets)
        told.append(hours_text(stages, flops_per_s=cfg.runtime.flops_per_s))
        told.append(memory_text([cell.cfg for cell in cells], gpu_gb=cfg.plan.gpu_gb))
    return "\n\n".join(told)


def tell_drift(cells: Sequence[PlannedCell], *, store: StageStore) -> None:
    """Warn of finished stages that other code made."""
    for line in drift_lines(in_order(target for cell in cells for target in cell.plan.targets), store):
        log.warning(line)


def tell_found(cells: Sequence[PlannedCell], *, store: StageStore) -> None:
    """Warn of tuned values at an end of their grid, and of donors without equations or with too few draws."""
    plans = [cell.plan for cell in cells]
    tell_edges(plans, store=store, say=log.warning)
    tell_donors(plans, store=store, say=log.warning)
