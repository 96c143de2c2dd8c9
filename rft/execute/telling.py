"""What is said of a plan before anything runs: stages and their cost; on request costs beside the paper's, and GPUs.

print(plan_told(cells, store=store, workers=8, num_jobs=12))
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.execute.planned import PlannedCell
from rft.infra.stage_store import StageStore
from rft.plan.gpu_hours import hours_text
from rft.plan.paper_costs import comparison_text
from rft.plan.show import plan_text
from rft.stages.stage import in_order


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
