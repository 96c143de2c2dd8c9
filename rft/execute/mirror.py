"""What W&B shows of a cell: its training curve, summary metrics and a table of solutions; shared stages once, as runs of
their own. Everything comes from files that lie on disk already.

    mirror_cell(cfg, cell, record, store=store, study=study, folder=folder)
"""

from __future__ import annotations

import atexit
import functools
import logging
from pathlib import Path
from typing import Any

from rft.config import StudyConfig
from rft.infra.store import Store
from rft.infra.study import Study
from rft.infra.tracking import Mirror, TrackingSettings, stable_run_id
from rft.plan.cell import CellPlan
from rft.records import CURVE_FILE, SHOWN_FILE, Record, read_jsonl
from rft.stages.stage import Stage

log = logging.getLogger("rft")

TABLE_COLUMNS = ("id", "question", "gold", "text", "outcome", "source", "model", "draw", "kept", "reason")
MARKS = "wandb/.mirrored"  # under the study's folder: one file per shared stage that has its run


@functools.lru_cache(maxsize=1)
def _mirror(settings: TrackingSettings) -> Mirror:
    """One W&B process for all cells that this process finishes: starting wandb costs seconds."""
    mirror = Mirror(settings)
    atexit.register(mirror.close)
    return mirror


def mirror_cell(cfg: StudyConfig, cell: CellPlan, record: Record, *, store: Store, study: Study, folder: Path) -> None:
    """Show a finished cell and the shared stages it rests on. Never raises because of W&B."""
    if cfg.tracking.mode == "disabled":
        return
    tracking = cfg.tracking
    mirror = _mirror(
        TrackingSettings(
            mode=tracking.mode,
            project=tracking.project,
            entity=tracking.entity,
            tags=(*tracking.tags, study.name),
            group=study.group(),
            folder=study.folder,
        )
    )
    model = cell.read.trained.weights
    for stage in cell.stages:
        if stage != model:  # by key: equal stages are planned afresh wherever they are asked for
            _mirror_stage(mirror, stage, store=store, study=study)
    rows = [[row.get(name) for name in TABLE_COLUMNS] for row in read_jsonl(folder / SHOWN_FILE)]
    status = mirror.run(
        run_id=stable_run_id(study.name, cell.cell_id),
        name=cell.cell_id,
        job_type=cfg.method,
        config={**cell.names, **cell.setting, **cell.seeds, "cell_key": cell.cell_key},
        history=_curve(store, model) if model != cell.read.base else [],
        summary=summary_metrics(record),
        table=(TABLE_COLUMNS, rows[: tracking.max_samples]),
    )
    log.debug("W&B: %s", status)


def _mirror_stage(mirror: Mirror, stage: Stage[Any], *, store: Store, study: Study) -> None:
    mark = study.folder / MARKS / stage.key
    history = _curve(store, stage) if not mark.exists() else []
    if not history:
        return
    status = mirror.run(
        run_id=stable_run_id(study.name, stage.key),
        name=stage.label,
        job_type=f"stage-{stage.kind}",
        config={"stage": stage.kind, "key": stage.key, "model": stage.model, **stage.identity()},
        history=history,
        summary={"final_loss_nats": history[-1]["loss_nats"]},
    )
    if not status.startswith("failed"):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _curve(store: Store, stage: Stage[Any]) -> list[dict[str, Any]]:
    path = store.folder(stage.kind, stage.key) / CURVE_FILE
    return list(read_jsonl(path)) if path.exists() else []


def summary_metrics(record: Record) -> dict[str, Any]:
    """Flat metrics of a record: fractions in [0, 1] with their standard errors, counts, losses, costs."""
    flat: dict[str, Any] = {}
    for name, score in (record.scores | record.rates).items():
        flat |= {name: score.value, f"{name}_se": score.se, f"{name}_n": score.n}
    for one in record.sets:
        for name, score in (one.scores | one.rates).items():
            place = f"eval/{one.name}/{name}"
            flat |= {place: score.value, f"{place}_se": score.se, f"{place}_n": score.n}
    flat |= {f"data/{name}": value for name, value in record.data.items() if isinstance(value, int | float)}
    flat |= {f"drop/{name}": count for name, count in record.data.get("drop_counts", {}).items()}
    flat |= {f"model/{name}": value for name, value in record.model.items() if isinstance(value, int | float)}
    flat["cost/flops"] = sum(cost.used * cost.flops for cost in record.cost)
    flat["cost/seconds"] = sum(cost.used * cost.seconds for cost in record.cost)
    return flat
