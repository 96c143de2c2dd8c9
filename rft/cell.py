"""One cell from plan to record: register in the study, compute what is missing, assemble, mirror to W&B, write last.

run_cell(cfg, study_folder=Path("multirun_outputs/quickstart"), folder="3", arguments=sys.argv[1:])
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.assemble import assemble, write_cell_files
from rft.config import StudyConfig
from rft.infra.devices import resolve_device
from rft.infra.provenance import provenance
from rft.infra.store import Entry, Store
from rft.infra.study import Study
from rft.mirror import mirror_cell
from rft.pipeline import CellPlan, execute, plan
from rft.plan_text import plan_text
from rft.records import RECORD_FILE, write_json
from rft.sources import resolve
from rft.stage import Stage

log = logging.getLogger("rft")

MANY_WITHOUT_EQUATIONS = 0.5
PROGRAM = ("python", "-m", "rft.run")


@dataclass(frozen=True)
class _Cell:
    """A planned cell and its place."""

    plan: CellPlan
    study: Study
    folder: str
    store: Store

    @property
    def path(self) -> Path:
        return self.study.folder / self.folder


def run_cell(
    cfg: StudyConfig,
    *,
    study_folder: Path,
    folder: str | None,
    arguments: Sequence[str] = (),
    hits: Mapping[str, bool] | None = None,
) -> Path | None:
    """The cell's record, computed or found; None for a dry run or a cell that another folder of the study holds.

    Without `folder` the cell's own name is it: single runs of one study name lie side by side, none replaces another.
    `arguments` of the command line go into the record's provenance; `hits`: stages that a launcher computed beforehand,
    with whether each was found finished then. Raises what a failing stage raises, after writing the reason into the
    cell's folder.
    """
    sources = resolve(cfg)
    planned = plan(cfg, sources)
    study = Study(study_folder, cfg.study_name)
    folder = study.folder_of(planned.cell_id) or planned.cell_id if folder is None else folder
    cell = _Cell(planned, study, folder, Store(Path(cfg.store.root)))
    if cfg.dry_run:
        log.info(plan_text([planned], store=cell.store, runtime=cfg.runtime, workers=1))
        return None
    owner = cell.study.register(planned.cell_id, folder=folder, cell=planned.cell)
    if owner != folder:
        unused = ", ".join(planned.collapsed)
        log.info(f"{planned.cell_id} is computed in folder {owner} already: {unused} mean nothing for it")
        return None
    record_path = cell.path / RECORD_FILE
    if cell.study.complete(folder, cell_key=planned.cell_key):
        log.info(f"{planned.cell_id} is finished: {record_path}")
        return record_path
    cell.study.clear(folder)
    try:
        if cfg.preflight:
            from rft.preflight import preflight_cell  # imports torch

            preflight_cell(cfg, sources, planned, store=cell.store, folder=cell.path)
        _compute(cfg, cell, arguments=arguments, hits=hits or {})
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        cell.study.fail(folder, cell_id=planned.cell_id, cell=planned.cell, reason=reason, stage=None)
        raise
    return record_path


def _compute(cfg: StudyConfig, cell: _Cell, *, arguments: Sequence[str], hits: Mapping[str, bool]) -> None:
    """Execute, assemble, mirror; record.json comes last."""
    planned, store = cell.plan, cell.store
    if any(not store.has(stage.kind, stage.key) for stage in planned.stages):
        log.info(plan_text([planned], store=store, runtime=cfg.runtime, workers=1))
    found = execute(planned.stages, store=store, runtime=cfg.runtime, on_stage=_announce)
    device = resolve_device(cfg.runtime.device)
    origin = provenance(device=device, argv=[*PROGRAM, *arguments], folder=Path(__file__).parent)
    record = assemble(planned, store=store, hits={**found, **hits}, study=cell.study.name, provenance=origin)
    cell.path.mkdir(parents=True, exist_ok=True)
    write_cell_files(planned, store=store, folder=cell.path)
    mirror_cell(cfg, planned, record, store=store, study=cell.study, folder=cell.path)
    write_json(cell.path / RECORD_FILE, record.to_json())
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
