"""What a sweep says of its plan before anything runs: stages and their cost; on request costs beside the paper's, and GPUs.

tell_plan(cells, store=store, workers=8, num_jobs=12)
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rft.execute.gathered import PlannedCell
from rft.infra.stage_store import StageStore
from rft.plan.gpu_hours import hours_text
from rft.plan.paper_costs import comparison_text
from rft.plan.show import plan_text
from rft.stages.stage import in_order

log = logging.getLogger("rft")


def tell_plan(cells: Sequence[PlannedCell], *, store: StageStore, workers: int, num_jobs: int) -> None:
    """As `plan` of the first cell's configuration asks for."""
    cfg, plans = cells[0].cfg, [cell.plan for cell in cells]
    log.info(plan_text(plans, store=store, runtime=cfg.runtime, workers=workers, num_jobs=num_jobs))
    if cfg.plan.compare == "table4":
        log.info("\n" + comparison_text(plans))
    if cfg.plan.gpu_gb is not None:
        from rft.execute.memory_plan import memory_text  # imports torch

        stages = in_order(target for one in plans for target in one.targets)
        log.info("\n" + hours_text(stages, flops_per_s=cfg.runtime.flops_per_s))
        log.info("\n" + memory_text([cell.cfg for cell in cells], gpu_gb=cfg.plan.gpu_gb))
