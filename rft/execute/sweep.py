"""A whole sweep as one graph: the union of all cells' stages first, then each cell's record.

errors = run_sweep(jobs, study_folder=folder, executor=LocalProcesses(workers=2, threads=1), command=sys.argv)
errors[3]      # None, or why the job's cell has no record
"""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rft.config import StudyConfig
from rft.execute.cell import finish_cell, plan_cell
from rft.execute.devices_taken import devices_taken
from rft.execute.executor import Executor
from rft.execute.mending import mended
from rft.execute.mirror import mirror_of
from rft.execute.planned import PlannedCell
from rft.execute.servers import check_servers
from rft.execute.shared_values import check_shared, distinct
from rft.execute.stages import StagePayload
from rft.execute.telling import plan_told, tell_drift, tell_found
from rft.infra.disk import StoreError
from rft.infra.driver import Driver
from rft.infra.graph import Event, Result, Task
from rft.infra.live import LIVE_FOLDER
from rft.infra.progress import Progress
from rft.infra.reservations import reserved
from rft.infra.stage_store import StageStore
from rft.infra.stores import absolute, open_store
from rft.infra.study import Study, holds
from rft.infra.sweep_log import SweepLog
from rft.plan.sharing import Memo
from rft.plan.show import Estimator
from rft.plan.sources import Resolver
from rft.plan.sweep_engine import with_one_engine
from rft.registry import load_plugins
from rft.stages.stage import Stage, finished, in_order

log = logging.getLogger("rft")

STAGE_FUNCTION = "rft.execute.stages:StageTask"
CELL_FUNCTION = "rft.execute.sweep:finish"
TOLD = tuple(f"{kind.__name__}: " for kind in (ValueError, StoreError))  # their messages say what to mend
CELL_COST_S = 0.3  # measured: 440 records in 53 s on two workers


@dataclass(frozen=True)
class CellPayload:
    """What a worker needs to write a cell's record."""

    cell: PlannedCell
    hits: Mapping[str, bool]  # of its stages: found finished before the sweep
    study: Study
    command: tuple[str, ...]
    plugins: tuple[str, ...]


def finish(payload: CellPayload, report: Callable[[float], None]) -> None:  # noqa: ARG001 (every task function takes it)
    """Task function of a worker: the record of a cell, all of whose stages are in the store."""
    load_plugins(payload.plugins)
    study, cell = payload.study, payload.cell
    with study.failing(cell.plan.cell_id):
        finish_cell(cell, study=study, hits=payload.hits, command=payload.command)


def run_sweep(
    jobs: Sequence[StudyConfig], *, study_folder: Path, executor: Executor, command: Sequence[str] = ()
) -> list[tuple[str, str | None]]:
    """Plan all jobs, run what is missing, write the records; per job (cell id, None or the reason of its failure).

    Raises ValueError when a job's configuration is invalid, or one that the others contradict: before anything runs.
    """
    check_shared(jobs)
    with _no_garbage():
        resolver, memo = Resolver(), Memo()
        planned = [plan_cell(cfg, resolver=resolver, memo=memo) for cfg in with_one_engine(jobs)]
        del memo
    cells = distinct(planned)
    cfg, workers = planned[0].cfg, executor.workers
    store, study = open_store(cfg.store), Study(study_folder, cfg.study_name, cfg.plan.sweep)
    log.info(plan_told(cells, store=store, workers=workers, num_jobs=len(jobs)))
    if cfg.dry_run:
        return [(cell.plan.cell_id, None) for cell in planned]
    check_servers((target for cell in cells for target in cell.plan.targets), store=store)
    store.announce(log.info)
    tell_drift(cells, store=store)
    open_cells = _registered(cells, study=study)
    needed = {stage.key for cell in open_cells for stage in cell.plan.stages}
    errors: dict[str, str] = {}
    if open_cells:
        with (
            reserved(store, needed, study=study_folder, tell=log.info),
            Driver.at_work(study.folder, engine=executor.engine) as driver,
        ):
            store.sweep()  # what a killed process left in this store
            if cfg.preflight:
                errors = _preflight(open_cells, store=store, study=study, heed=driver.heed)
            cleared = [cell for cell in open_cells if cell.plan.cell_id not in errors]
            run = partial(_run, store=store, study=study, executor=executor, command=command, heed=driver.heed)
            errors |= mended(cleared, run, store=store, study=study)
    tell_found(open_cells, store=store)
    return [(cell.plan.cell_id, errors.get(cell.plan.cell_id)) for cell in planned]


def _registered(cells: Sequence[PlannedCell], *, study: Study) -> list[PlannedCell]:
    """Enter all cells into the study; returns those that are not finished."""
    there = {entry["cell_id"] for entry in study.cells()}
    if there:
        new = sum(cell.plan.cell_id not in there for cell in cells)
        log.info(f"study {study.name}: {len(there)} cells are there, {new} of this sweep's {len(cells)} are new")
    found = {  # each record is read once
        cell.plan.cell_id: study.record(cell.plan.cell_id, cell_key=cell.plan.cell_key) for cell in cells
    }
    open_cells = [cell for cell in cells if not holds(found[cell.plan.cell_id], cell.plan.set_keys)]
    grown = sum(found[cell.plan.cell_id] is not None for cell in open_cells)
    if grown:
        log.info(f"{grown} finished cells are extended by test sets; their own numbers stay")
    study.register([cell.plan.cell_id for cell in cells])
    for cell in open_cells:
        study.clear(cell.plan.cell_id, cell_key=cell.plan.cell_key)
    if len(open_cells) < len(cells):
        log.info(f"{len(cells) - len(open_cells)} of {len(cells)} cells are finished")
    return open_cells


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Switch the garbage collector off: a plan is a million small objects without cycles, and scanning them takes a fifth
    of its time. It stays for as long as the process, so that later collections leave it out.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()


def _preflight(
    cells: Sequence[PlannedCell], *, store: StageStore, study: Study, heed: Callable[[], None]
) -> dict[str, str]:
    """Check every cell's model and data, once for all cells that share them; the reason by cell id where a check failed."""
    from rft.execute.preflight import PREFLIGHT_FILE, preflight_cell, report_key  # imports torch

    reasons: dict[str, str] = {}
    written: dict[str, Path] = {}
    for cell in cells:
        heed()
        folder = study.path_of(cell.plan.cell_id)
        key = report_key(cell.cfg, cell.plan)
        if key in written:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(written[key], folder / PREFLIGHT_FILE)
        try:
            preflight_cell(cell.cfg, cell.sources, cell.plan, store=store, folder=folder)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            reasons[cell.plan.cell_id] = reason
            study.fail(cell.plan.cell_id, reason=reason, stage="preflight")
        if (folder / PREFLIGHT_FILE).exists():
            written[key] = folder / PREFLIGHT_FILE
    return reasons


def _run(
    cells: Sequence[PlannedCell],
    *,
    store: StageStore,
    study: Study,
    executor: Executor,
    command: Sequence[str],
    heed: Callable[[], None],
) -> dict[str, str]:
    """Run the graph; the reason by cell id of every cell without a record."""
    if not cells:
        return {}
    cfg = cells[0].cfg
    estimator = Estimator(store, flops_per_s=cfg.runtime.flops_per_s)
    stages = in_order(target for cell in cells for target in cell.plan.targets)
    there = finished(stages, store)
    hits = {stage.key: stage.key in there for stage in stages}
    names = {stage.key: f"{stage.label} [{stage.key[:8]}]" for stage in stages}  # one a key: equal stages are one task
    missing = {stage.key for stage in stages if not hits[stage.key]}
    plugins, where = tuple(cfg.plugins), absolute(cfg.store)
    tasks = [
        Task(
            id=names[stage.key],
            deps=tuple(names[one.key] for one in stage.inputs if one.key in missing),
            function=STAGE_FUNCTION,
            payload=StagePayload(stage, where, cfg.runtime, plugins, study.folder.absolute() / LIVE_FOLDER),
            cost_s=estimator.seconds(stage),
            group=stage.kind,
            affinity=_affinity(stage),
            model=stage.model,
        )
        for stage in stages
        if stage.key in missing
    ]
    for cell in cells:
        own = {stage.key: hits[stage.key] for stage in cell.plan.stages}
        deps = tuple(names[key] for key in own if key in missing)
        payload = CellPayload(cell, own, study, tuple(command), plugins)
        tasks.append(Task(_task_id(cell), deps, CELL_FUNCTION, payload, cost_s=CELL_COST_S, group="record"))
    with (
        mirror_of(cfg, [cell.plan for cell in cells], hits=hits, store=store, study=study),
        Progress(tasks, workers=executor.workers) as progress,
        _telling(cells, progress, study=study) as log_event,
    ):

        def on_event(event: Event) -> None:
            progress.on_event(event)
            log_event(event)
            heed()

        results = executor.run(tasks, on_event=on_event)
        return _failures(cells, results, names, study=study)


@contextmanager
def _telling(cells: Sequence[PlannedCell], progress: Progress, *, study: Study) -> Iterator[Callable[[Event], None]]:
    """What takes the sweep's events into its log."""
    cfg = cells[0].cfg
    finished, missing = study.summary(without={cell.plan.cell_id for cell in cells})
    log_of = SweepLog(
        study.folder,
        estimate=progress.estimate,
        others=(finished, len(missing)),
        uses_gpu=cfg.runtime.device.startswith("cuda"),
        devices_of=devices_taken,
    )
    try:
        yield log_of.on_event
    finally:
        log_of.close()


def _task_id(cell: PlannedCell) -> str:
    return f"cell {cell.plan.cell_id}"


def _affinity(stage: Stage[Any]) -> str:
    """The weights that a sampling stage runs, which a worker keeps open; else the model that a stage makes."""
    weights = getattr(stage, "weights", None) if stage.samples else None
    return weights.key if isinstance(weights, Stage) else stage.model


def _failures(
    cells: Sequence[PlannedCell], results: Mapping[str, Result], names: Mapping[str, str], *, study: Study
) -> dict[str, str]:
    """Write a failure file for each cell that was skipped because a stage failed; collect all reasons.

    The reason is the failed stage's own, so that cells that one fault stops have one reason.
    """
    _tell_faults(results)
    reasons: dict[str, str] = {}
    for cell in cells:
        result = results[_task_id(cell)]
        if result.status == "done":
            continue
        failed = [(s.label, found) for s in cell.plan.stages if _failed(found := results.get(names[s.key]))]
        stage, found = failed[0] if failed else (None, result)
        reason = str(found.error if found is not None else result.error)
        reasons[cell.plan.cell_id] = reason
        with suppress(OSError):  # on a full disk, the sweep's end says it
            study.fail(cell.plan.cell_id, reason=reason, stage=stage)
    return reasons


def _tell_faults(results: Mapping[str, Result]) -> None:
    """Where each fault came from, once however many tasks met it.

    Progress has shown the faults as they came, and the study's summary lists the cells: what is left is the traceback, which
    those need none of whose message says what to mend.
    """
    by_fault = {str(result.error): (name, result) for name, result in results.items() if result.status == "failed"}
    for fault, (name, result) in by_fault.items():
        if result.traceback and not fault.startswith(TOLD):
            log.error(f"failed: {name}: {fault}\n{result.traceback}")


def _failed(result: Result | None) -> bool:
    return result is not None and result.status == "failed"
