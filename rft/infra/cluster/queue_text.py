"""Who runs a study's sweep, and its SLURM jobs: lines of `rft status`.

driver_lines(Path("multirun_outputs/mine"))
# ['  run by SLURM jobs: process 4711 on login1, since 2026-11-28 10:00',
#  '  SLURM: 14 jobs not ended: 2 RUNNING on node1 node2, 12 PENDING (11 Dependency, 1 JobHeldUser)',
#  '  SLURM holds job 13 (JobHeldUser: somebody held it); to let it start: scontrol release 13']
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rft.infra import driver
from rft.infra.cluster import register, slurm_queue
from rft.infra.cluster.holds import hold_lines
from rft.infra.cluster.slurm_queue import QueuedJob
from rft.infra.live import LIVE_FOLDER, SLURM_FOLDER, SWEEP_FILE, Tail


def driver_lines(study: Path) -> list[str]:
    """A line for the sweep that runs or was broken off, its failed stages and its jobs; none for a complete one."""
    return [f"  {line}" for line in (*_driver(study), *_slurm(study))]


def _driver(study: Path) -> Iterator[str]:
    said = driver.read(study)
    if said is None or said.how == "complete":
        return
    who = f"{said.owner.text()}, since {time.strftime('%F %R', time.localtime(said.started))}"
    if driver.is_alive(study, said):
        yield f"run by {said.engine}: {who}"
    elif said.ended is not None:
        yield f"was run by {said.engine}: {said.how} at {time.strftime('%F %R', time.localtime(said.ended))}"
    else:
        yield f"was run by {said.engine}: {who}, which is gone without a word; the same command goes on"
    yield from _failed(study, since_s=said.started)


def _failed(study: Path, *, since_s: float) -> Iterator[str]:
    """Stages that have failed in this sweep; their cells say so once it ends."""
    for row in Tail(study / LIVE_FOLDER / SWEEP_FILE).fresh():
        if row.get("event") == "alert" and row["time"] >= since_s - 1.0:
            yield f"{row['title']}: {row['text']}"


def _slurm(study: Path) -> Iterator[str]:
    place = study / SLURM_FOLDER
    if not register.is_there(place):
        return
    name = register.Register(place).name
    queued = slurm_queue.jobs(name)
    if queued is None:
        yield "SLURM does not answer here: whether its jobs run is not known"
    elif queued:
        states: dict[str, list[QueuedJob]] = {}
        for job in queued.values():
            states.setdefault(job.state, []).append(job)
        parts = [f"{len(jobs)} {state}{_nodes(jobs)}{_reasons(jobs)}" for state, jobs in sorted(states.items())]
        yield f"SLURM: {len(queued)} jobs not ended: {', '.join(parts)}"
        yield from hold_lines(queued.values(), name=name)


def _nodes(jobs: Sequence[QueuedJob]) -> str:
    """Where they are."""
    nodes = sorted({job.place for job in jobs if job.place and not job.reason})
    return f" on {' '.join(nodes)}" if nodes else ""


def _reasons(jobs: Sequence[QueuedJob]) -> str:
    """Why they wait, in SLURM's words: some of them mean that a job never starts."""
    counts = Counter(job.reason for job in jobs if job.reason and job.reason != "None")
    said = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    return f" ({said})" if said else ""
