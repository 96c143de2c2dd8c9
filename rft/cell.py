"""One cell from plan to record: register in the study, compute what is missing, assemble, mirror to W&B, write last.

run_cell(cfg, study_folder=Path("multirun_outputs/quickstart"), folder="3")
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path

from rft.assemble import assemble, write_cell_files
from rft.config import StudyConfig
from rft.graph import Stage
from rft.infra.devices import resolve_device
from rft.infra.provenance import provenance
from rft.infra.store import Entry, Store
from rft.infra.study import Study
from rft.mirror import mirror_cell
from rft.pipeline import CellPlan, execute, plan
from rft.plan_text import plan_text
from rft.records import RECORD_FILE, write_json
from rft.sources import resolve

log = logging.getLogger("rft")


def run_cell(
    cfg: StudyConfig, *, study_folder: Path, folder: str, hits: Mapping[str, bool] | None = None
) -> Path | None:
    """The cell's record, computed or found; None for a dry run or a cell that another folder of the study holds.

    `hits`: stages that a launcher computed beforehand, with whether each was found finished then.
    Raises what a failing stage raises, after writing the reason into the cell's folder.
    """
    sources = resolve(cfg)
    cell = plan(cfg, sources)
    store = Store(Path(cfg.store.root))
    if cfg.dry_run:
        log.info(plan_text([cell], store=store, runtime=cfg.runtime, workers=1))
        return None
    study = Study(study_folder, cfg.study_name)
    owner = study.register(cell.cell_id, folder=folder, cell=cell.cell)
    if owner != folder:
        log.info(
            f"{cell.cell_id} is computed in folder {owner} already: {', '.join(cell.collapsed)} mean nothing for it"
        )
        return None
    record_path = study.folder / folder / RECORD_FILE
    if study.complete(folder, cell_key=cell.cell_key):
        log.info(f"{cell.cell_id} is finished: {record_path}")
        return record_path
    study.clear(folder)
    try:
        if cfg.preflight:
            from rft.preflight import preflight_cell  # imports torch

            preflight_cell(cfg, sources, cell, store=store, folder=study.folder / folder)
        _compute(cfg, cell, store=store, study=study, folder=folder, hits=hits or {})
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        study.fail(folder, cell_id=cell.cell_id, cell=cell.cell, reason=reason, stage=None)
        raise
    return record_path


def _compute(
    cfg: StudyConfig, cell: CellPlan, *, store: Store, study: Study, folder: str, hits: Mapping[str, bool]
) -> None:
    """Execute, assemble, mirror; record.json comes last."""
    if any(not store.has(stage.kind, stage.key) for stage in cell.stages):
        log.info(plan_text([cell], store=store, runtime=cfg.runtime, workers=1))
    found = execute(cell.stages, store=store, runtime=cfg.runtime, on_stage=_announce)
    device = resolve_device(cfg.runtime.device)
    origin = provenance(device=device, argv=sys.argv, folder=Path(__file__).parent)
    record = assemble(cell, store=store, hits={**found, **hits}, study=study.name, provenance=origin)
    place = study.folder / folder
    place.mkdir(parents=True, exist_ok=True)
    write_cell_files(cell, store=store, folder=place)
    mirror_cell(cfg, cell, record, store=store, study=study, folder=place)
    write_json(place / RECORD_FILE, record.to_json())
    score = record.scores["maj1@1"]
    log.info(
        f"{cell.cell_id}: maj1@1 {100 * score.value:.1f} ± {100 * score.se:.1f} % (n = {score.n}, item noise only)"
    )


def _announce(stage: Stage, entry: Entry) -> None:
    if not entry.cache_hit:
        log.info(f"  {stage.label}: {entry.seconds:.1f} s")
