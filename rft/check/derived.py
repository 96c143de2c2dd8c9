"""What a record says besides its scores, against what says it too: its plan, its finished stages, the files beside it.

    list(said_faults(record, cell))                       # by the plan alone: stages, costs, names, titles, files
    list(fact_findings(record, cell, store))              # model and data, by the stages
    list(file_findings(record, folder, cell, store))      # every row of every file

`cell` is the plan of the record's own configuration, whose key is the record's.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.archive.files import archive_of, present, rows_at
from rft.check.cell import WRONG, refused
from rft.check.finding import Finding, compared, unchecked
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan, FurtherSet
from rft.records import RECORD_FILE, SHOWN_FILE, Record, SetRecord
from rft.stages.shard import used_in
from rft.stages.stage import Stage

FACTS, FILES = "facts of its stages", "files against stages"
OWN_SEED = re.compile(r"_s-?\d+-")  # of an id: `seed` is but the default of the seeds that a record has
LATER_ROLES = ("curve",)  # of files that records have not always had


def said_faults(record: Record, cell: CellPlan) -> Iterator[str]:
    """Of a record on its own test set."""
    from rft.execute.record import cell_files

    if OWN_SEED.sub("-", record.cell_id) != OWN_SEED.sub("-", cell.cell_id):
        yield f"it is called {record.cell_id}, its plan {cell.cell_id}"
    yield from _value_faults("names", record.names, cell.names)
    yield from _value_faults("model", record.model, cell.model_facts)
    yield from _list_faults(record, cell.own_stages, makers=set(cell.makers))
    yield from _role_faults(record.files, cell_files(cell))


def set_faults(said: SetRecord, found: FurtherSet, cell: CellPlan) -> Iterator[str]:
    """Of a record on a further test set."""
    from rft.execute.record import set_files, set_stages

    yield from _list_faults(said, set_stages(found, own=set(cell.own_stages)), makers=())
    yield from _role_faults(said.files, set_files(found))


def _value_faults(part: str, said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in found:
        if name not in said:
            yield f"{part}.{name} is lacking, its configuration gives {found[name]!r}"
        elif said[name] != found[name]:
            yield f"{part}.{name} is {said[name]!r}, its configuration gives {found[name]!r}"


def _list_faults(
    said: Record | SetRecord, stages: Sequence[Stage[Any]], *, makers: Collection[Stage[Any]]
) -> Iterator[str]:
    """Stages and costs: one row for each stage of the plan, and what of it the model is made of or uses."""
    planned = Counter((stage.kind, stage.key) for stage in stages)
    yield from _row_faults("stages", planned, Counter((row["name"], row["key"]) for row in said.stages))
    yield from _row_faults("cost", planned, Counter((row.name, row.key) for row in said.cost))
    used, made_of = used_in(stages, makers=makers), {stage.key for stage in makers}
    for cost in said.cost:
        if (cost.name, cost.key) not in planned:
            continue
        if cost.used != used.get(cost.key, 1.0):
            yield f"cost of {cost.name} {cost.key[:8]}: used is {cost.used}, its plan uses {used.get(cost.key, 1.0)}"
        if cost.makes is not None and cost.makes is not (cost.key in made_of):
            yield f"cost of {cost.name} {cost.key[:8]}: makes is {cost.makes}, its plan says {cost.key in made_of}"


def _row_faults(part: str, planned: Counter[tuple[str, str]], said: Counter[tuple[str, str]]) -> Iterator[str]:
    for kind, key in planned - said:
        yield f"{part} lack {kind} {key[:8]}, which its configuration gives"
    for kind, key in said - planned:
        yield f"{part} have {kind} {key[:8]}, which its configuration does not give, or gives once"


def _role_faults(said: Mapping[str, str], planned: Mapping[str, str]) -> Iterator[str]:
    for role in sorted({*said, *planned}):
        if said.get(role) != planned.get(role) and not (role in LATER_ROLES and role not in said):
            yield f"files.{role} is {said.get(role)!r}, its plan gives {planned.get(role)!r}"


def fact_findings(record: Record, cell: CellPlan, store: StageStore) -> Iterator[Finding]:
    """Its model and its data, and the data of each further test set."""
    from rft.execute.facts import facts_of, set_facts

    try:
        found = facts_of(cell, store=store)
        sets = {(one.name, one.key): set_facts(one, store=store) for one in cell.sets}
    except (*WRONG, RuntimeError) as error:
        yield unchecked(FACTS, record.cell_id, refused(error))
        return
    parts = [
        ("model", record.model, found.model),
        ("data", record.data, found.data),
        *((f"{one.name}.data", one.data, sets.get((one.name, one.key), one.data)) for one in record.sets),
    ]
    yield from compared(FACTS, record.cell_id, itertools.chain.from_iterable(_fact_faults(*part) for part in parts))


def _fact_faults(part: str, said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*said, *found}):
        if name not in said:
            yield f"{part}.{name} is lacking, its stages give {found[name]!r}"
        elif name not in found:
            yield f"{part}.{name} is {said[name]!r}, of which its stages say nothing"
        elif said[name] != found[name]:
            yield f"{part}.{name} is {said[name]!r}, its stages give {found[name]!r}"


def file_findings(record: Record, folder: Path, cell: CellPlan, store: StageStore) -> Iterator[Finding]:
    """Every file beside the record, row by row, as it would be written today."""
    from rft.execute.record import cell_rows, set_rows

    held = {(one.name, one.key) for one in record.sets}
    sets = [one for one in cell.sets if (one.name, one.key) in held]
    try:
        named = [
            *cell_rows(cell, store=store),
            *itertools.chain.from_iterable(set_rows(one, store=store) for one in sets),
        ]
        wanted = {name: list(rows) for name, rows in named}
    except (*WRONG, RuntimeError) as error:
        yield unchecked(FILES, record.cell_id, refused(error))
        return
    for name, rows in wanted.items():
        place = f"{record.cell_id}, {name}"
        if name in record.all_files:
            yield from compared(FILES, place, _rows_faults(folder / name, rows))
        else:
            yield unchecked(FILES, place, "the record names no such file (made before it was kept)")


def _rows_faults(path: Path, wanted: Sequence[dict[str, Any]]) -> Iterator[str]:
    if not present(path):
        yield "it is absent"
        return
    try:
        found = list(rows_at(path))
    except WRONG as error:
        yield f"it cannot be read: {refused(error)}"
        return
    if path.name.startswith(SHOWN_FILE.partition(".")[0]):
        wanted = wanted[: _most_shown(path, len(wanted))]
    if len(found) != len(wanted):
        yield f"it has {len(found)} rows, its stages give {len(wanted)}"
    elif (first := _first_other(found, wanted)) is not None:
        yield f"row {first + 1} is not what its stages give"


def _most_shown(path: Path, count: int) -> int:
    """How many sampled solutions are kept: an archive may have been told to keep fewer."""
    archive = archive_of(path.with_name(RECORD_FILE))
    most = None if archive is None else archive.about.samples_per_cell
    return count if most is None else most


def _first_other(found: Iterable[Mapping[str, Any]], wanted: Iterable[Mapping[str, Any]]) -> int | None:
    pairs = enumerate(zip(found, wanted, strict=True))
    return next((place for place, (one, other) in pairs if one != other), None)
