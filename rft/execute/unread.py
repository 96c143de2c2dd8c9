"""Donors whose solutions have no equations where equations tell paths apart, told once for each selection.

tell_unread([cell.plan for cell in cells], store=store, say=log.warning)
# select 1 of tiny + teacher: 100% of teacher's samples have no <<...>> equation, so that at most one of them per question
# is kept; select.equations=plain reads equations from the text, select.equations=text compares whole texts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rft.execute.made import Made
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.stages.select import Select

ANNOTATED = "annotated"
MANY = 0.5  # of a donor's samples


def tell_unread(cells: Iterable[CellPlan], *, store: StageStore, say: Callable[[str], None]) -> None:
    """A line for each finished selection and donor of which at least half the samples have no equation."""
    stages = (stage for cell in cells for stage in cell.own_stages if isinstance(stage, Select))
    for stage in dict.fromkeys(stages):
        if stage.checks.equations == ANNOTATED:
            for donor, share in _shares(stage, store=store):
                if share >= MANY:
                    say(
                        f"{stage.label}: {share:.0%} of {donor}'s samples have no <<...>> equation, so that at most one of "
                        "them per question is kept; select.equations=plain reads equations from the text, "
                        "select.equations=text compares whole texts"
                    )


def _shares(stage: Select, *, store: StageStore) -> Iterator[tuple[str, float]]:
    """(donor, share of its samples without equations); nothing of a selection that is not finished."""
    entry = store.get(stage.kind, stage.key)
    if entry is not None:
        facts = Made.of(entry.meta).facts
        alone = {stage.pools[0].donor: facts["no_equation_frac"]} if len(stage.pools) == 1 else {}
        yield from facts.get("no_equation_by_donor", alone).items()
