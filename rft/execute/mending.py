"""A sweep's cells run once more where a stage that was found finished turned out to be damaged.

    errors = mended(cells, run, store=store, study=study)        # run(cells) -> reason by cell id of those without a record

Whether a stage is finished is asked of its manifest's existence alone: reading all files of a large store takes too long for
a plan. Who reads a damaged file sets its stage aside, and fails. One damaged stage is found at a time that way, so before the
second run every stage of the failed cells is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from rft.execute.planned import PlannedCell
from rft.infra.stage_store import QUARANTINE, StageStore
from rft.infra.study import Study

log = logging.getLogger("rft")

Errors = dict[str, str]


def mended(
    cells: Sequence[PlannedCell], run: Callable[[Sequence[PlannedCell]], Errors], *, store: StageStore, study: Study
) -> Errors:
    """The reasons of the cells that have no record in the end."""
    before = set(store.objects.names(QUARANTINE))
    errors = run(cells)
    failed = [cell for cell in cells if cell.plan.cell_id in errors]
    if not failed or before.issuperset(store.objects.names(QUARANTINE)):
        return errors
    for stage in {stage for cell in failed for stage in cell.plan.stages}:
        store.get(stage.kind, stage.key)
    count = len(set(store.objects.names(QUARANTINE)) - before)
    log.warning(f"{count} damaged stages were set aside: the {len(failed)} cells that rest on them are run again")
    for cell in failed:
        study.clear(cell.plan.cell_id, cell_key=cell.plan.cell_key)
    return run(failed)
