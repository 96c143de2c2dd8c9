"""A whole sweep as one graph: the union of all cells' stages first, then each cell's record.

errors = run_sweep(jobs, study_folder=folder, workers=2, threads=1, cell_payload=pickle_job)
errors[3]      # None, or why the job's cell has no record
"""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig

from rft.cell import PlannedCell, plan_cell
from rft.infra.progress import Progress
from rft.infra.scheduler import Result, Task, run_graph
from rft.infra.store import Store
from rft.infra.study import Study
from rft.paper_plan import comparison_text
from rft.pipeline import in_order, stage_task
from rft.plan_text import Estimator, plan_text
from rft.stage import Stage
from rft.typed import to_study_config

log = logging.getLogger("rft")

STAGE_FUNCTION = "rft.pipeline:run_stage_task"
CELL_FUNCTION = "hydra_plugins.rft_launchers.dag_local:finish_cell"
CELL_COST_S = 0.3  # measured: 440 records in 53 s on two workers
CellPayload = Callable[[DictConfig, dict[str, bool]], bytes]


@dataclass(frozen=True)
class Job:
    """One job of the sweep."""

    number: int
    config: DictConfig  # the job's whole configuration


@dataclass(frozen=True)
class SweptCell(PlannedCell):
    """A planned cell with the first job that names it."""

    job: Job

    @property
    def task_id(self) -> str:
        """Name of the task that writes the record."""
        return f"cell {self.plan.cell_id}"


def run_sweep(
    jobs: Sequence[Job], *, study_folder: Path, workers: int, threads: int, cell_payload: CellPayload
) -> list[str | None]:
    """Plan all jobs, run what is missing, write the records; per job None or the reason of its failure.

    Raises ValueError when a job's configuration is invalid: before anything runs.
    """
    with _no_garbage():
        planned = [_planned(job) for job in jobs]
    first_of: dict[str, SweptCell] = {}
    for cell in planned:
        first_of.setdefault(cell.plan.cell_id, cell)
    cells = list(first_of.values())
    cfg = planned[0].cfg
    store = Store(Path(cfg.store.root))
    study = Study(study_folder, cfg.study_name)
    log.info(plan_text([c.plan for c in cells], store=store, runtime=cfg.runtime, workers=workers, num_jobs=len(jobs)))
    if cfg.plan.compare == "table4":
        log.info("\n" + comparison_text([cell.plan for cell in cells]))
    if cfg.dry_run:
        return [None] * len(jobs)
    if len({cell.cfg.numerics for cell in cells}) > 1:
        raise ValueError(
            "numerics takes two values in one sweep, but a process computes with one: run a sweep for each"
        )
    there = {entry["cell_id"] for entry in study.cells()}
    if there:
        new = sum(cell.plan.cell_id not in there for cell in cells)
        log.info(f"study {study.name}: {len(there)} cells are there, {new} of this sweep's {len(cells)} are new")
    study.register([cell.plan.cell_id for cell in cells])
    open_cells = [cell for cell in cells if not study.complete(cell.plan.cell_id, cell_key=cell.plan.cell_key)]
    for cell in open_cells:
        study.clear(cell.plan.cell_id)
    if len(open_cells) < len(cells):
        log.info(f"{len(cells) - len(open_cells)} of {len(cells)} cells are finished")
    errors = _preflight(open_cells, store=store, study=study) if cfg.preflight else {}
    cleared = [cell for cell in open_cells if cell.plan.cell_id not in errors]
    errors |= _run(cleared, store=store, study=study, workers=workers, threads=threads, cell_payload=cell_payload)
    return [errors.get(cell.plan.cell_id) for cell in planned]


@contextmanager
def _no_garbage() -> Iterator[None]:
    """A plan is a million small objects without cycles: looking for garbage among them takes a fifth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _planned(job: Job) -> SweptCell:
    cell = plan_cell(to_study_config(job.config))
    return SweptCell(cell.cfg, cell.sources, cell.plan, job)


def _preflight(cells: Sequence[SweptCell], *, store: Store, study: Study) -> dict[str, str]:
    """Check every cell's model and data, once for all cells that share them; the reason by cell id where a check failed."""
    from rft.preflight import PREFLIGHT_FILE, preflight_cell, report_key  # imports torch

    reasons: dict[str, str] = {}
    written: dict[str, Path] = {}
    for cell in cells:
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
    cells: Sequence[SweptCell], *, store: Store, study: Study, workers: int, threads: int, cell_payload: CellPayload
) -> dict[str, str]:
    """Run the graph; the reason by cell id of every cell without a record."""
    if not cells:
        return {}
    estimator = Estimator(store, flops_per_s=cells[0].cfg.runtime.flops_per_s)
    stages = in_order(target for cell in cells for target in cell.plan.roles.values())
    hits = {stage.key: store.has(stage.kind, stage.key) for stage in stages}
    names = {stage.key: _task_id(stage) for stage in stages}  # one a key: equal stages of two names are one task
    missing = {stage.key for stage in stages if not hits[stage.key]}
    runtime, root = cells[0].cfg.runtime, str(store.root)
    tasks = [
        Task(
            id=names[stage.key],
            deps=tuple(names[one.key] for group in stage.inputs.values() for one in group if one.key in missing),
            function=STAGE_FUNCTION,
            payload=(stage_task(stage), root, runtime),
            cost_s=estimator.seconds(stage),
            group=stage.kind,
            affinity=_affinity(stage),
            model=stage.model,
        )
        for stage in stages
        if stage.key in missing
    ]
    tasks += [_cell_task(cell, missing, hits, names, cell_payload) for cell in cells]
    with Progress(tasks, workers=workers) as progress:
        results = run_graph(tasks, workers=workers, threads=threads, on_event=progress.on_event)
    return _failures(cells, results, names, study=study)


def _affinity(stage: Stage) -> str:
    """The weights that it runs, which a worker keeps open; else the model that it makes."""
    return stage.inputs["model"][0].key if "model" in stage.inputs else stage.model


def _task_id(stage: Stage) -> str:
    return f"{stage.label} [{stage.key[:8]}]"


def _cell_task(
    cell: SweptCell, missing: set[str], hits: Mapping[str, bool], names: Mapping[str, str], cell_payload: CellPayload
) -> Task:
    own = {stage.key: hits[stage.key] for stage in cell.plan.stages}
    return Task(
        id=cell.task_id,
        deps=tuple(names[stage.key] for stage in cell.plan.stages if stage.key in missing),
        function=CELL_FUNCTION,
        payload=cell_payload(cell.job.config, own),
        cost_s=CELL_COST_S,
        group="record",
    )


def _failures(
    cells: Sequence[SweptCell], results: Mapping[str, Result], names: Mapping[str, str], *, study: Study
) -> dict[str, str]:
    """Write a failure file for each cell that was skipped because a stage failed; collect all reasons."""
    for name, result in results.items():
        if result.status == "failed":
            log.error(f"failed: {name}: {result.error}\n{result.traceback or ''}")
    reasons: dict[str, str] = {}
    for cell in cells:
        result = results[cell.task_id]
        if result.status == "done":
            continue
        stage = next((s.label for s in cell.plan.stages if _failed(results.get(names[s.key]))), None)
        reasons[cell.plan.cell_id] = str(result.error)
        study.fail(cell.plan.cell_id, reason=str(result.error), stage=stage)
    return reasons


def _failed(result: Result | None) -> bool:
    return result is not None and result.status == "failed"
