"""A cell planned once more from its record: its key, its stages, and all that these and the configuration say of it.

    list(planned_findings(record, folder, store))      # [same("cell", "nano-s_sft_f1_s0-1a2b3c4d"), ...]

The key is the digest of the stages, the setting and the seeds, so a setting or a seed that was edited gives another one, and
the record must list the stages of its plan and no others. Where today's code plans other stages from the record (an option
or a version has changed since) nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rft.check.cell import WRONG, refused
from rft.check.derived import fact_findings, file_findings, said_faults, set_faults
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.rebuild import Rebuilder
from rft.check.stored import stages_of
from rft.infra.digest import digest
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.records import Record

CELL, LISTED = "cell", "what its plan says"


def planned_findings(
    record: Record, folder: Path, store: StageStore | None, *, config_dir: Path | None = None
) -> Iterator[Finding]:
    """Whether the record's key is that of its setting, seeds and stages, and whether what else it says is its plan's; with
    the store, whether its facts and files are those of its stages. `config_dir`: configuration files of the user's own."""
    try:
        cell = _planned(record, sets=bool(record.sets), config_dir=config_dir)
    except (*WRONG, RuntimeError, ImportError) as error:
        yield unchecked(CELL, record.cell_id, f"it cannot be planned from its record here: {refused(error)}")
        return
    targets = [stage.key for stage in cell.read.targets]
    key = digest([targets, record.setting, record.seeds])
    if key != record.cell_key:
        yield _other(record, key, targets, store)
        return
    yield from compared(CELL, record.cell_id, [])
    yield from compared(LISTED, record.cell_id, said_faults(record, cell))
    yield from _set_findings(record, cell)
    if store is not None:
        yield from fact_findings(record, cell, store)
        yield from file_findings(record, folder, cell, store)


def _planned(record: Record, *, sets: bool, config_dir: Path | None) -> CellPlan:
    """With its further test sets, where they can be planned here."""
    from rft.execute.cell import plan_cell
    from rft.plan.composing import composed, overrides_of, overrides_of_sets
    from rft.plan.typed import to_study_config

    words = overrides_of(record, config_dir=config_dir)
    try:
        more = overrides_of_sets(record) if sets else []
        return plan_cell(to_study_config(composed([*words, *more], config_dir=config_dir))).plan
    except (*WRONG, RuntimeError, ImportError):
        if not sets:
            raise
    return _planned(record, sets=False, config_dir=config_dir)


def _set_findings(record: Record, cell: CellPlan) -> Iterator[Finding]:
    planned = {(one.name, one.key): one for one in cell.sets}
    for said in record.sets:
        place, found = f"{record.cell_id} on {said.name}", planned.get((said.name, said.key))
        if digest([said.name, said.setting]) != said.key:
            yield differs(LISTED, place, f"its key {said.key[:8]} is not that of its name and setting")
        elif found is None:
            yield unchecked(LISTED, place, "today's configuration gives another set of this name, or none")
        else:
            yield from compared(LISTED, place, set_faults(said, found, cell))


def _other(record: Record, key: str, targets: list[str], store: StageStore | None) -> Finding:
    """Why another key comes out: the record was edited, or the code has changed since."""
    known = {one.key for one in stages_of(record)}
    if known.issuperset(targets):
        return differs(CELL, record.cell_id, f"its setting and seeds have the key {key[:8]}, not {record.cell_key[:8]}")
    if store is not None and _all_as_today(record, store):
        return differs(CELL, record.cell_id, "its setting and seeds are those of other stages than the record names")
    return unchecked(CELL, record.cell_id, "today's code plans other stages from its setting and seeds")


def _all_as_today(record: Record, store: StageStore) -> bool:
    """Whether today's code gives every stage of the record the key that it has."""
    rebuilt = Rebuilder(store)
    try:
        return all(rebuilt.stage(one.kind, one.key) is not None for one in stages_of(record))
    except ValueError:
        return False
