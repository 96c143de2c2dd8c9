"""A sweep whose jobs a launcher runs one by one, planned before the first of them: one plan, one engine for its models.

    ahead = plan_ahead(jobs)           # of all jobs that can be planned; what is wrong with another it says itself
    print(ahead.text())                # the plan of the whole sweep
    ahead.overrides                    # ['plan.engine=torch', 'plan.is_shown=true']: what each job must be told
    ahead.tell_found()                 # when they have run

Launchers that run a sweep as one graph (rft.execute.sweep) need none of it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from rft.config import StudyConfig
from rft.execute.cell import plan_cell
from rft.execute.planned import PlannedCell
from rft.execute.shared_values import check_shared
from rft.execute.telling import plan_told, tell_drift, tell_found
from rft.infra.stage_store import StageStore
from rft.infra.stores import open_store
from rft.plan.sources import Resolver
from rft.plan.sweep_engine import with_one_engine

log = logging.getLogger("rft")


@dataclass(frozen=True)
class Ahead:
    """The cells of a sweep, each once."""

    cells: tuple[PlannedCell, ...]
    num_jobs: int

    @property
    def overrides(self) -> list[str]:
        """Of every job."""
        shared = self._cfg.plan.engine  # that `auto` is for all models; None: what it is for each
        engine = [] if shared is None else [f"plan.engine={shared}"]
        return engine if self._cfg.dry_run else [*engine, "plan.is_shown=true"]

    def text(self) -> str:
        """The plan."""
        return plan_told(self.cells, store=self._store, num_jobs=self.num_jobs)

    def tell_drift(self) -> None:
        """Warn of finished stages that other code made."""
        tell_drift(self.cells, store=self._store)

    def tell_found(self) -> None:
        """Warn of what was found in making them."""
        tell_found(self.cells, store=self._store)

    @property
    def _cfg(self) -> StudyConfig:
        return self.cells[0].cfg

    @property
    def _store(self) -> StageStore:
        return open_store(self._cfg.store)


def plan_ahead(jobs: Sequence[StudyConfig]) -> Ahead | None:
    """The sweep of these jobs; None where none can be planned.

    Raises ValueError where it would be two studies: each job has its own settings of how it works, but all have one folder.
    """
    check_shared(jobs, keys=("study_name",))
    cells: dict[str, PlannedCell] = {}
    resolver = Resolver()
    for cfg in with_one_engine(jobs):
        with contextlib.suppress(ValueError):  # the job meets it again, and enters it into the study
            cell = plan_cell(cfg, resolver=resolver)
            cells.setdefault(cell.plan.cell_id, cell)
    return Ahead(tuple(cells.values()), len(jobs)) if cells else None
