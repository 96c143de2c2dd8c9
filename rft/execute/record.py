"""A cell's record from the outputs of its finished stages, and the per-item files beside it.

record = assemble(cell, store=store, hits={"3f2a...": True}, study="quickstart", provenance={...})
write_cell_files(cell, store=store, folder=Path("multirun_outputs/quickstart/3"))
for name, rows in cell_rows(cell, store=store): ...       # what those files hold, for who compares
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.execute.code import behind
from rft.execute.curve import thinned
from rft.execute.facts import facts_of, set_facts
from rft.execute.finished import Finished, outcome_rows, weights_digest
from rft.execute.made import Made
from rft.execute.scoring import row_rates, row_scores
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan, FurtherSet
from rft.records import (
    CELL_CURVE_FILE,
    NOT_CHOSEN,
    OUTCOMES_FILE,
    PATHS_FILE,
    SHOWN_FILE,
    Record,
    SetRecord,
    StageCost,
    write_jsonl,
)
from rft.stages.rows import Shown
from rft.stages.shard import used_in
from rft.stages.stage import Stage, in_order

MAX_SOLUTIONS = 64  # of each source in the cell's sample file


def assemble(
    cell: CellPlan,
    *,
    store: StageStore,
    hits: Mapping[str, bool],
    study: str,
    provenance: Mapping[str, Any],
    known: Record | None = None,
) -> Record:
    """The record of a cell whose stages are all finished.

    `known`, its record from before: this one extended by the test sets that the cell is planned with. Its own numbers stay as
    they are, and so do those of other sets; where it has a set already, that is replaced.
    """
    done = Finished(store, hits, provenance)
    own, mine = known or _own_record(cell, done, study), set(cell.own_stages)
    sets = {(one.name, one.key): one for one in (*own.sets, *(_set_record(one, mine, done) for one in cell.sets))}
    return dataclasses.replace(own, sets=[sets[place] for place in sorted(sets)])


def _own_record(cell: CellPlan, done: Finished, study: str) -> Record:
    outcomes, facts = list(outcome_rows(cell.read.measured, done)), facts_of(cell, store=done.store)
    rows, origins = _stage_origins(cell.own_stages, done)
    return Record(
        study=study,
        cell_id=cell.cell_id,
        cell_key=cell.cell_key,
        names=dict(cell.names),
        setting=dict(cell.setting),
        seeds=dict(cell.seeds),
        model=facts.model,
        data=facts.data,
        scores=row_scores(outcomes),
        rates=row_rates(outcomes),
        stages=rows,
        cost=_costs(cell.own_stages, done, makers=set(cell.makers)),
        provenance={**done.provenance, "origins": origins, "code": _codes_now(cell.own_stages)},
        files=cell_files(cell),
    )


def cell_files(cell: CellPlan) -> dict[str, str]:
    """Names of a cell's files beside its record, by their roles; those of further test sets left out."""
    files = {"outcomes": OUTCOMES_FILE, "samples": SHOWN_FILE}
    files |= {"curve": CELL_CURVE_FILE} if cell.read.trained.trainset is not None else {}
    return files | ({"paths": PATHS_FILE} if cell.read.trained.selections else {})


def set_files(one: FurtherSet) -> dict[str, str]:
    """The same of a further test set."""
    return {"outcomes": set_file(OUTCOMES_FILE, one), "samples": set_file(SHOWN_FILE, one)}


def set_stages(one: FurtherSet, *, own: Collection[Stage[Any]]) -> list[Stage[Any]]:
    """The stages that a cell does not have without this test set."""
    return [stage for stage in in_order(one.targets) if stage not in own]


def _set_record(one: FurtherSet, own: set[Stage[Any]], done: Finished) -> SetRecord:
    stages = set_stages(one, own=own)
    outcomes = list(outcome_rows(one.measured, done))
    rows, origins = _stage_origins(stages, done)
    return SetRecord(
        name=one.name,
        key=one.key,
        setting=dict(one.setting),
        scores=row_scores(outcomes),
        rates=row_rates(outcomes),
        data=set_facts(one, store=done.store),
        stages=rows,
        cost=_costs(stages, done),
        provenance={**done.provenance, "origins": origins, "code": _codes_now(stages)},
        files=set_files(one),
    )


def set_file(name: str, one: FurtherSet) -> str:
    """The name of a file of a test set: 'outcomes-svamp-1a2b3c4d.jsonl.gz' for 'outcomes.jsonl.gz'."""
    stem, _, ending = name.partition(".")
    return f"{stem}-{one.name.replace('.', '-')}-{one.key[:8]}.{ending}"


def write_set_files(cell: CellPlan, *, store: StageStore, folder: Path) -> None:
    """Outcomes and a capped sample of solutions of every further test set."""
    for one in cell.sets:
        _write(set_rows(one, store=store), folder)


def write_cell_files(cell: CellPlan, *, store: StageStore, folder: Path) -> None:
    """Outcomes, kept paths, the thinned curve and a capped sample of solutions, so that a copied study needs no store."""
    _write(cell_rows(cell, store=store), folder)


NamedRows = tuple[str, Iterable[dict[str, Any]]]  # a file by its name, with its rows


def _write(files: Iterable[NamedRows], folder: Path) -> None:
    for name, rows in files:
        write_jsonl(folder / name, rows)


def set_rows(one: FurtherSet, *, store: StageStore) -> Iterator[NamedRows]:
    """The files of a further test set. Raises RuntimeError when a stage is not in the store."""
    done = Finished(store)
    yield set_file(OUTCOMES_FILE, one), (row.to_json() for row in outcome_rows(one.measured, done))
    shown = itertools.islice(done.open(one.measured.evaluate).solutions(), MAX_SOLUTIONS)
    yield set_file(SHOWN_FILE, one), (row.to_json() for row in shown)


def cell_rows(cell: CellPlan, *, store: StageStore) -> Iterator[NamedRows]:
    """The files of a cell on its own test set. Raises RuntimeError when a stage is not in the store."""
    done = Finished(store)
    if cell.read.trained.trainset is not None:
        curve = done.open(cell.read.trained.weights).curve()
        yield CELL_CURVE_FILE, (dataclasses.asdict(point) for point in thinned(curve))
    yield OUTCOMES_FILE, (row.to_json() for row in outcome_rows(cell.read.measured, done))
    selections = cell.read.trained.selections
    shown = list(itertools.islice(done.open(cell.read.measured.evaluate).solutions(), MAX_SOLUTIONS))
    for selection in selections:
        shown += itertools.islice(done.open(selection).solutions(), MAX_SOLUTIONS)
    if selections:
        kept = done.open(selections[-1])
        yield PATHS_FILE, (row | {"seed": cell.sample_seed} for row in kept.rows())
        left = {(path.id, path.model, path.draw) for path in kept.kept()}
        shown = [_as_left(row, left) for row in shown]
    yield SHOWN_FILE, (row.to_json() for row in shown)


def _as_left(row: Shown, left: Collection[tuple[str, str, int]]) -> Shown:
    """A solution with what became of it in the end: a selection may keep what a chooser after it leaves out."""
    if not row.kept or (row.id, row.model, row.draw) in left:
        return row
    return dataclasses.replace(row, kept=False, reason=NOT_CHOSEN)


def _stage_origins(stages: Sequence[Stage[Any]], done: Finished) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(a row per stage with the index of its origin and the digests of its code and of the weights it made, the distinct
    origins)."""
    origins: list[dict[str, Any]] = []
    rows = []
    for stage in stages:
        entry = done.entry(stage)
        made = Made.of(entry.meta)
        if made.origin not in origins:
            origins.append(made.origin)
        row = {"name": stage.kind, "key": stage.key, "origin": origins.index(made.origin), "code": made.code}
        weights = weights_digest(entry.digests)
        rows.append(row | ({"weights": weights} if weights else {}))
    return rows, origins


def _codes_now(stages: Sequence[Stage[Any]]) -> dict[str, str]:
    """Digest of the code of each kind of stage as it stands while the record is written."""
    kinds = {stage.kind: behind(stage) for stage in stages}
    return {kind: code.digest for kind, code in kinds.items() if code is not None}


def _costs(stages: Sequence[Stage[Any]], done: Finished, *, makers: Collection[Stage[Any]] = ()) -> list[StageCost]:
    used = used_in(stages, makers=makers)
    return [_cost(stage, done, used=used.get(stage.key, 1.0), makes=stage in makers) for stage in stages]


def _cost(stage: Stage[Any], done: Finished, *, used: float, makes: bool) -> StageCost:
    entry = done.entry(stage)
    made, hit = Made.of(entry.meta), done.hits.get(stage.key, True)
    return StageCost(stage.kind, stage.key, entry.seconds, made.flops, made.tokens, hit, used, makes)
