"""A cell planned once more from its record: its key, and what its stages say of the model and of the draws behind it.

    list(planned_findings(record, store))              # [same("cell", "nano-s_sft_f1_s0-1a2b3c4d"), ...]

The key is the digest of the stages, the setting and the seeds, so a setting or a seed that was edited gives another one.
Where today's code plans other stages from the record (an option or a version has changed since) nothing can be said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rft.check.cell import WRONG
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.rebuild import Rebuilder
from rft.check.stored import stages_of
from rft.infra.digest import digest
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.records import Record

CELL, FACTS = "cell", "facts of its stages"
OF_CONFIGURATION = ("name", "family", "post_trained", "published_loss", "published_loss_source", "licence")


def planned_findings(record: Record, store: StageStore | None) -> Iterator[Finding]:
    """Whether the record's key is that of its setting, seeds and stages; with the store, whether its facts are theirs."""
    from rft.execute.cell import plan_cell
    from rft.plan.composing import composed, overrides_of
    from rft.plan.typed import to_study_config

    try:
        cell = plan_cell(to_study_config(composed(overrides_of(record)))).plan
    except (*WRONG, RuntimeError, ImportError) as error:
        yield unchecked(CELL, record.cell_id, f"it cannot be planned from its record here: {error}")
        return
    targets = [stage.key for stage in cell.read.targets]
    key = digest([targets, record.setting, record.seeds])
    if key != record.cell_key:
        yield _other(record, key, targets, store)
        return
    yield from compared(CELL, record.cell_id, [])
    if store is not None:
        yield from _fact_findings(record, cell, store)


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


def _fact_findings(record: Record, cell: CellPlan, store: StageStore) -> Iterator[Finding]:
    from rft.execute.record import facts_of

    try:
        found = facts_of(cell, store=store)
    except (*WRONG, RuntimeError) as error:
        yield unchecked(FACTS, record.cell_id, str(error))
        return
    faults = [*_faults("model", record.model, found.model), *_faults("data", record.data, found.data)]
    yield from compared(FACTS, record.cell_id, faults)
    alone = sorted({*record.model} - {*found.model}) + sorted({*record.data} - {*found.data, "perturbed"})
    if alone:
        yield unchecked(FACTS, record.cell_id, f"nothing gives {', '.join(alone)} today")


def _faults(part: str, said: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(said.keys() & found.keys() - set(OF_CONFIGURATION)):
        if said[name] != found[name]:
            yield f"{part}.{name} is {said[name]!r}, its stages give {found[name]!r}"
