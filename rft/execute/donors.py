"""What is to be known of the donors of finished selections, told once for each: no equations, fewer draws than k.

tell_donors([cell.plan for cell in cells], store=store, say=log.warning)
# select 1 of tiny + teacher: 100% of teacher's samples have no <<...>> equation, so that at most one of them per question
# is kept; select.equations=plain reads equations from the text, select.equations=text compares whole texts
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rft.execute.made import Made
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.stages.select import Select

ANNOTATED = "annotated"
MANY = 0.5  # of a donor's samples


def tell_donors(cells: Iterable[CellPlan], *, store: StageStore, say: Callable[[str], None]) -> None:
    """A line for each donor of a finished selection: half of its samples have no equation, no question has a k-th draw."""
    stages = (stage for cell in cells for stage in cell.own_stages if isinstance(stage, Select))
    for stage in dict.fromkeys(stages):
        entry = store.get(stage.kind, stage.key)
        if entry is not None:
            facts = Made.of(entry.meta).facts
            for line in (*_unread(stage, facts), *_short(stage, facts)):
                say(f"{stage.label}: {line}")


def _unread(stage: Select, facts: dict[str, Any]) -> Iterator[str]:
    alone = {stage.pools[0].donor: facts["no_equation_frac"]} if len(stage.pools) == 1 else {}
    for donor, share in facts.get("no_equation_by_donor", alone).items():
        if share >= MANY and stage.checks.equations == ANNOTATED:
            yield (
                f"{share:.0%} of {donor}'s samples have no <<...>> equation, so that at most one of them per question is "
                "kept; select.equations=plain reads equations from the text, select.equations=text compares whole texts"
            )


def _short(stage: Select, facts: dict[str, Any]) -> Iterator[str]:
    for pool in stage.imported:
        most = facts["imported_pools"][pool.donor]["max_draws"]
        if most < pool.num_draws:
            yield f"{pool.donor} has at most {most} draws of a question, so that k={pool.num_draws} is k={most} of it"
