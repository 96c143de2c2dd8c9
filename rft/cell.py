"""One cell from plan to record: register in the study, compute what is missing, assemble, mirror to W&B, write last.

cell = plan_cell(cfg)
run_cell(cell, study_folder=Path("multirun_outputs/quickstart"), arguments=sys.argv[1:])
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.assemble import assemble, write_cell_files
from rft.config import StudyConfig
from rft.infra.devices import resolve_device
from rft.infra.numerics import require
from rft.infra.provenance import provenance
from rft.infra.store import Entry, Store
from rft.infra.study import Study
from rft.mirror import mirror_cell
from rft.pipeline import CellPlan, execute, plan
from rft.plan_text import plan_text
from rft.records import RECORD_FILE, write_json
from rft.sources import resolve
from rft.stage import Sources, Stage

log = logging.getLogger("rft")

MANY_WITHOUT_EQUATIONS = 0.5
PROGRAM = ("python", "-m", "rft.run")


@dataclass(frozen=True)
class PlannedCell:
    """A configuration with what planning looked up, and the plan."""

    cfg: StudyConfig
    sources: Sources
    plan: CellPlan


def plan_cell(cfg: StudyConfig) -> PlannedCell:
    """Look the outside up and plan. Raises ValueError for what cannot work, before anything is computed or written."""
    sources = resolve(cfg)
    return PlannedCell(cfg, sources, plan(cfg, sources))


def run_cell(
    cell: PlannedCell,
    *,
    study_folder: Path,
    arguments: Sequence[str] = (),
    hits: Mapping[str, bool] | None = None,
) -> Path | None:
    """The cell's record, computed or found; None for a dry run.

    `arguments` of the command line go into the record's provenance; `hits`: stages that a launcher computed beforehand,
    with whether each was found finished then. Raises what a failing stage raises, after writing the reason into the
    cell's folder.
    """
    cfg, planned = cell.cfg, cell.plan
    store, study = Store(Path(cfg.store.root)), Study(study_folder, cfg.study_name)
    if cfg.dry_run:
        log.info(plan_text([planned], store=store, runtime=cfg.runtime, workers=1))
        return None
    require(cfg.numerics.value)
    study.register([planned.cell_id])
    folder = study.path_of(planned.cell_id)
    if study.complete(planned.cell_id, cell_key=planned.cell_key):
        log.info(f"{planned.cell_id} is finished: {folder / RECORD_FILE}")
        return folder / RECORD_FILE
    study.clear(planned.cell_id)
    try:
        if cfg.preflight:
            from rft.preflight import preflight_cell  # imports torch

            preflight_cell(cfg, cell.sources, planned, store=store, folder=folder)
        _compute(cell, store=store, study=study, arguments=arguments, hits=hits or {})
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        study.fail(planned.cell_id, reason=reason, stage=None)
        raise
    return folder / RECORD_FILE


def _compute(
    cell: PlannedCell, *, store: Store, study: Study, arguments: Sequence[str], hits: Mapping[str, bool]
) -> None:
    """Execute, assemble, mirror; record.json comes last."""
    cfg, planned = cell.cfg, cell.plan
    if any(not store.has(stage.kind, stage.key) for stage in planned.stages):
        log.info(plan_text([planned], store=store, runtime=cfg.runtime, workers=1))
    found = execute(planned.stages, store=store, runtime=cfg.runtime, on_stage=_announce)
    device = resolve_device(cfg.runtime.device)
    origin = provenance(device=device, argv=[*PROGRAM, *arguments], folder=Path(__file__).parent)
    record = assemble(planned, store=store, hits={**found, **hits}, study=study.name, provenance=origin)
    folder = study.path_of(planned.cell_id)
    folder.mkdir(parents=True, exist_ok=True)
    write_cell_files(planned, store=store, folder=folder)
    mirror_cell(cfg, planned, record, store=store, study=study, folder=folder)
    write_json(folder / RECORD_FILE, record.to_json())
    score = record.scores["maj1@1"]
    percent = f"{100 * score.value:.1f} ± {100 * score.se:.1f} %"
    without = record.data.get("no_equation_frac") or 0.0
    if without > MANY_WITHOUT_EQUATIONS and cfg.select.equations == "annotated":
        log.warning(
            f"{planned.cell_id}: {without:.0%} of the samples have no <<...>> equation, so that at most one of them a "
            "question is kept; select.equations=plain reads equations from the text"
        )
    log.info(f"{planned.cell_id}: maj1@1 {percent} (n = {score.n}, item noise only)")


def _announce(stage: Stage, entry: Entry) -> None:
    if not entry.cache_hit:
        log.info(f"  {stage.label}: {entry.seconds:.1f} s")
