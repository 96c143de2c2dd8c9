"""What the jobs of one sweep must agree on: how the work is done and kept, and a cell's further test sets.

check_shared(jobs)      # ValueError: store.root takes two values in one sweep, A and B, and all its cells share one: ...
cells = distinct(planned)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

from rft.config import FREE, StudyConfig
from rft.config.fields import leaves_at, specs
from rft.config.reading import plain_value
from rft.execute.planned import PlannedCell

_PARTS = attrgetter(*(name for name in specs(StudyConfig) if name not in FREE))  # what is free changes results


def check_shared(jobs: Sequence[StudyConfig], *, keys: Collection[str] = tuple(specs(StudyConfig))) -> None:
    """Raise ValueError for the first key of a whole sweep (`Spec.holds_for_sweep`) that has two values in its jobs.

    `keys` of the top level that are looked at; by default all.
    """
    found: dict[str, Any] = {}
    apart = {tuple(map(id, _PARTS(job))): job for job in jobs}.values()  # most jobs share all these objects
    for name in keys:
        for job in {id(getattr(job, name)): job for job in apart}.values():
            for leaf in leaves_at(job, name):
                if leaf.spec.holds_for_sweep and found.setdefault(leaf.path, leaf.value) != leaf.value:
                    one, other = plain_value(found[leaf.path]), plain_value(leaf.value)
                    raise ValueError(
                        f"{leaf.path} takes two values in one sweep, {one} and {other}, and all its cells share one: run a "
                        "sweep for each"
                    )


def distinct(planned: Sequence[PlannedCell]) -> list[PlannedCell]:
    """Each cell once. Raises ValueError where one comes with two choices of further test sets."""
    found = {cell.plan.cell_id: cell for cell in reversed(planned)}
    for cell in planned:
        first = found[cell.plan.cell_id]
        if first.plan.set_keys != cell.plan.set_keys:
            raise ValueError(
                f"eval.sets takes two values for one cell, {first.cfg.eval.sets} and {cell.cfg.eval.sets}, or a set has two "
                "settings: list all sets together, those with other settings under names of their own"
            )
    return list(found.values())[::-1]
