"""Plans of a dry run's jobs, gathered where every job of a sweep can write, and shown as one: whichever launcher ran them.

    keep_plan(cell, folder=sweep_folder)            # in a job
    print(gathered_text(sweep_folder))              # at the end of the sweep; None where no job left a plan

The folder is the one into which Hydra writes a dry run, and is removed with it.
"""

from __future__ import annotations

import os
import pickle
import uuid
from pathlib import Path

from rft.execute.planned import PlannedCell
from rft.execute.telling import plan_told
from rft.infra.stores import open_store

PLANS = "plans"  # folder


def keep_plan(cell: PlannedCell, *, folder: Path) -> None:
    """Leave a job's plan for the end of the sweep."""
    (folder / PLANS).mkdir(parents=True, exist_ok=True)
    (folder / PLANS / f"{uuid.uuid4().hex}.pickle").write_bytes(pickle.dumps(cell))


def gathered_text(folder: Path) -> str | None:
    """One plan for all jobs that left one, in the order in which they were planned."""
    files = sorted((folder / PLANS).glob("*.pickle"), key=lambda path: (os.stat(path).st_mtime_ns, path.name))
    planned: list[PlannedCell] = [pickle.loads(path.read_bytes()) for path in files]  # written by this sweep's jobs
    if not planned:
        return None
    cells = list({cell.plan.cell_id: cell for cell in planned}.values())
    return plan_told(cells, store=open_store(cells[0].cfg.store), num_jobs=len(planned))
