"""The life of a cell: planned, registered in its study, computed, assembled, mirrored to W&B; its record written last.

    cell = plan_cell(cfg)
    run_cell(cell, study_folder=Path("multirun_outputs/quickstart"), command=sys.argv)

The steps are the same whoever computes the stages: this module, one after the other, or beforehand an executor
(rft.execute.sweep), which then calls `finish_cell` in a worker.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.archive.seals import seal
from rft.config import StudyConfig
from rft.execute.gathered import keep_plan
from rft.execute.lengths import check_lengths
from rft.execute.mirror import mirror_of
from rft.execute.planned import PlannedCell
from rft.execute.record import assemble, write_cell_files, write_set_files
from rft.execute.servers import check_servers
from rft.execute.stages import execute
from rft.execute.telling import plan_told, tell_drift, tell_found
from rft.infra.devices import resolve_device
from rft.infra.entry import Entry
from rft.infra.live import LIVE_FOLDER
from rft.infra.numerics import require
from rft.infra.provenance import provenance
from rft.infra.reservations import reserved
from rft.infra.stores import open_store
from rft.infra.study import Study
from rft.plan.cell import plan
from rft.plan.sharing import Memo
from rft.plan.sources import Resolver
from rft.records import RECORD_FILE, write_json
from rft.stages.stage import Stage

log = logging.getLogger("rft")


def plan_cell(cfg: StudyConfig, *, resolver: Resolver | None = None, memo: Memo | None = None) -> PlannedCell:
    """Look up files, models and engines, plan, and count tokens. Raises ValueError before anything is computed or written.

    `resolver`, `memo`: what was looked up and planned for other cells of the sweep.
    """
    sources = (resolver or Resolver()).resolve(cfg)
    cell = plan(cfg, sources, memo=memo)
    check_lengths(cell, sources)
    return PlannedCell(cfg, sources, cell)


def run_cell(
    cell: PlannedCell, *, study_folder: Path, command: Sequence[str] = (), gather: Path | None = None
) -> Path | None:
    """The cell's record, computed or found; None for a dry run, whose plan goes into `gather` where it is one of many.

    Raises what a failing stage raises, after writing the reason into the cell's folder.
    """
    cfg, planned = cell.cfg, cell.plan
    store, study = open_store(cfg.store), Study(study_folder, cfg.study_name, cfg.plan.sweep)
    if cfg.dry_run:
        if gather is not None:
            keep_plan(cell, folder=gather)
        else:
            log.info(plan_told([cell], store=store))
        return None
    require(cfg.numerics.value)
    check_servers(planned.targets, store=store)
    store.announce(log.info)
    if not cfg.plan.is_shown:  # a sweep tells it once for all its cells
        tell_drift([cell], store=store)
    study.register([planned.cell_id])
    record = study.path_of(planned.cell_id) / RECORD_FILE
    if study.complete(planned.cell_id, cell_key=planned.cell_key, sets=planned.set_keys):
        log.info(f"{planned.cell_id} is finished: {record}")
        return record
    study.clear(planned.cell_id, cell_key=planned.cell_key)
    needed = [stage.key for stage in planned.stages]
    with study.failing(planned.cell_id), reserved(store, needed, study=study_folder, tell=log.info):
        if cfg.preflight:
            from rft.execute.preflight import preflight_cell  # imports torch

            preflight_cell(cfg, cell.sources, planned, store=store, folder=record.parent)
        there = {stage.key: store.has(stage.kind, stage.key) for stage in planned.stages}
        if not all(there.values()) and not cfg.plan.is_shown:
            log.info(plan_told([cell], store=store))
        live = study.folder.absolute() / LIVE_FOLDER
        with mirror_of(cfg, [planned], hits=there, store=store, study=study):
            hits = execute(planned.stages, store=store, runtime=cfg.runtime, on_stage=_announce, live=live)
            finished = finish_cell(cell, study=study, hits=hits, command=command)
    if not cfg.plan.is_shown:
        tell_found([cell], store=store)
    return finished


def finish_cell(cell: PlannedCell, *, study: Study, hits: Mapping[str, bool], command: Sequence[str]) -> Path:
    """The record of a cell whose stages are all finished; record.json comes last.

    `hits` says which stages were found finished; `command` is the command line of whoever started it all.
    """
    cfg, planned, store = cell.cfg, cell.plan, open_store(cell.cfg.store)
    device = resolve_device(cfg.runtime.device)
    origin = provenance(device=device, argv=command, folder=Path(__file__).parent)
    folder = study.path_of(planned.cell_id)
    folder.mkdir(parents=True, exist_ok=True)
    known = study.record(planned.cell_id, cell_key=planned.cell_key)
    record = assemble(planned, store=store, hits=hits, study=study.name, provenance=origin, known=known)
    if known is None:
        write_cell_files(planned, store=store, folder=folder)
    write_set_files(planned, store=store, folder=folder)
    seal(folder, record=record.to_json(), files=record.all_files)
    write_json(folder / RECORD_FILE, record.to_json())
    score = record.scores["maj1@1"]
    percent = f"{100 * score.value:.1f} ± {100 * score.se:.1f} %"
    log.info(f"{planned.cell_id}: maj1@1 {percent} (n = {score.n}, item noise only)")
    for one in record.sets:
        score = one.scores["maj1@1"]
        log.info(f"{planned.cell_id} on {one.name}: {100 * score.value:.1f} ± {100 * score.se:.1f} % (n = {score.n})")
    return folder / RECORD_FILE


def _announce(stage: Stage[Any], entry: Entry) -> None:
    if not entry.cache_hit:
        log.info(f"  {stage.label}: {entry.seconds:.1f} s")
