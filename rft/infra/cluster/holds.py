"""Jobs that SLURM does not start until somebody releases them: held by a person, or by SLURM after it failed to start them.

    >>> hold_of(QueuedJob("12", "PENDING", "(launch failed requeued held)"))
    Hold(reason='launch failed requeued held', by_slurm=True)
    >>> hold_of(QueuedJob("13", "PENDING", "(JobHeldUser)")), hold_of(QueuedJob("14", "PENDING", "(Dependency)"))
    (Hold(reason='JobHeldUser', by_slurm=False), None)
    >>> hold_lines([QueuedJob("13", "PENDING", "(JobHeldUser)")], name="rft-5f0c4a1e")
    ['SLURM holds job 13 (JobHeldUser: somebody held it); to let it start: scontrol release 13']

A hold by a person is waited for. One by SLURM itself seldom ends: a sweep tells of it, and after some minutes gives the job
up.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rft.infra.cluster.slurm_queue import QueuedJob
from rft.infra.progress import format_seconds

log = logging.getLogger("rft")

# Parts of what squeue says, in small letters. SLURM's own words of a job that it could not start: its node's prolog or slurmd
# failed, or it was put back too often (max_batch_requeue)
BY_SLURM = ("launch fail", "jobholdmaxrequeue")
BY_PERSON = ("jobheld", "requeued in held state", "special exit")  # scontrol hold, requeuehold
MOST_NAMED = 5  # jobs in a line


@dataclass(frozen=True)
class Hold:
    """Why a job is held."""

    reason: str  # as squeue says it
    by_slurm: bool  # else by a person


def hold_of(job: QueuedJob) -> Hold | None:
    """The hold of a job; None where it runs, or waits for something that comes by itself."""
    said = job.reason.replace("_", " ")  # newer versions write their sentences with underscores
    if any(part in said.lower() for part in BY_SLURM):
        return Hold(said, by_slurm=True)
    return Hold(said, by_slurm=False) if any(part in said.lower() for part in BY_PERSON) else None


def hold_lines(jobs: Iterable[QueuedJob], *, name: str) -> list[str]:
    """A line for each reason for which some of these jobs are held; `name` is that of all jobs of the sweep."""
    held: dict[Hold, list[str]] = {}
    for job in jobs:
        if (hold := hold_of(job)) is not None:
            held.setdefault(hold, []).append(job.id)
    return [_line(hold, ids, name) for hold, ids in held.items()]


def _line(hold: Hold, ids: list[str], name: str) -> str:
    few = len(ids) <= MOST_NAMED
    which = f"{len(ids)} jobs, {' '.join(ids[:MOST_NAMED])}{'' if few else ' ...'}" if len(ids) > 1 else f"job {ids[0]}"
    cause = "its node could not start it, slurmd's log there says why" if hold.by_slurm else "somebody held it"
    release = f"scontrol release {','.join(ids) if few else f'jobname={name}'}"
    return f"SLURM holds {which} ({hold.reason}: {cause}); to let it start: {release}"


class HoldWatch:
    """What a sweep says of its held jobs, each once, and which of them it gives up."""

    def __init__(self, name: str, *, patience_s: float) -> None:
        self.name, self.patience_s = name, patience_s  # of all jobs; for jobs that SLURM itself holds
        self._since_s: dict[tuple[str, Hold], float] = {}

    def look(self, queued: Mapping[str, QueuedJob], *, now_s: float) -> dict[str, str]:
        """Tell what is new in the queue; returns the jobs that SLURM has held for too long, by id, with the reason."""
        held = {(job_id, hold): now_s for job_id, job in queued.items() if (hold := hold_of(job)) is not None}
        new = [queued[job_id] for job_id, hold in held if (job_id, hold) not in self._since_s]
        self._since_s = {one: self._since_s.get(one, now_s) for one in held}
        for line in hold_lines(new, name=self.name):
            log.warning(line)
        if any(_by_slurm(job) for job in new):
            log.warning(f"what SLURM itself still holds after {format_seconds(self.patience_s)} is cancelled")
        return {
            job_id: self._given_up(job_id, hold)
            for (job_id, hold), since_s in self._since_s.items()
            if hold.by_slurm and now_s - since_s >= self.patience_s
        }

    def _given_up(self, job_id: str, hold: Hold) -> str:
        return (
            f"SLURM could not start job {job_id} and held it for {format_seconds(self.patience_s)} ({hold.reason}), so that "
            "it was cancelled: slurmd's log on the node says why it did not start; the same command submits it anew"
        )


def _by_slurm(job: QueuedJob) -> bool:
    hold = hold_of(job)
    return hold is not None and hold.by_slurm
