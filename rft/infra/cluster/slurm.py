"""A graph of tasks as SLURM jobs, submitted by submitit: each task in one job, several small ones together.

    jobs = SlurmJobs(folder=Path("multirun_outputs/mine/.slurm"), table=table, sbatch=Sbatch(partition="gpu"))
    jobs.run(tasks, on_event=print)

Jobs are submitted beforehand, each waiting for the end of those that it rests on (`afterany`; whether they succeeded it then
looks itself: rft.infra.cluster.job), like ones as arrays, up to `max_jobs` at once. So they go on when whoever submitted them
is gone; started again, it takes up those that are queued and computes what is missing. Ctrl-C and `rft stop` cancel them, a
closed terminal does not. A job that SLURM could not start and holds is given up (rft.infra.cluster.holds). What became of
tasks stands in journals on the shared disk (rft.infra.cluster.journal); the queue is asked only for jobs that are held, or
ended without a word. Neither slurmdbd nor an answer at every moment is needed.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from rft.infra.cluster import slurm_queue
from rft.infra.cluster.bundles import Bundle, bundles_of, needs_of
from rft.infra.cluster.holds import HoldWatch
from rft.infra.cluster.job import JobRun, journal_path, write_job
from rft.infra.cluster.journal import Journals, Note, outcomes
from rft.infra.cluster.register import Register, Submitted
from rft.infra.cluster.resources import ResourceTable
from rft.infra.cluster.sbatch import Sbatch, submit
from rft.infra.graph import Event, Graph, Result, Task
from rft.infra.interrupts import is_hang_up, stopped_by_signals

log = logging.getLogger("rft")

LOOK_EVERY_S = 5.0  # at the queue, for jobs that ended without a word
GRACE_S = 10.0  # for what a node wrote to reach this one


@dataclass(frozen=True)
class SlurmJobs:
    """An executor (rft.execute.executor)."""

    engine: ClassVar[str] = "SLURM jobs"

    folder: Path  # of the study, on a disk that all nodes share
    table: ResourceTable
    sbatch: Sbatch
    workers: int = 16  # jobs that will run at once, for estimates and for how stages share jobs: SLURM decides
    threads: int = 1
    stages_per_job: int = 8
    job_s: float = 1800.0  # a job that has this much to do takes no further stage
    max_jobs: int = 500  # in the queue at once
    held_s: float = 300.0  # a job that SLURM could not start and holds is given up after
    poll_s: float = 1.0

    def run(self, tasks: Sequence[Task], *, on_event: Callable[[Event], None]) -> Mapping[str, Result]:
        """See rft.execute.executor. Raises ValueError where SLURM's commands are missing."""
        slurm_queue.find()
        return _Run(self, tasks, on_event).run()


@dataclass
class _Plan:
    """Bundles not submitted yet, by their number, in the order of submission."""

    waiting: dict[int, Bundle] = field(default_factory=dict)
    needs: dict[int, set[int]] = field(default_factory=dict)


class _Run:
    """The state of one run."""

    def __init__(self, how: SlurmJobs, tasks: Sequence[Task], on_event: Callable[[Event], None]) -> None:
        self.how = how
        self.graph = Graph(tasks, on_event=on_event)
        self.register = Register(how.folder)
        self.name = self.register.name
        self.jobs: dict[int, Submitted] = {}  # submitted and not seen to have ended
        self.ending: set[str] = (
            set()
        )  # ids of those that have nothing more to say and count in the queue until they ended
        self.skipped: dict[str, str] = {}  # what jobs said why they could not run a task
        self.running: set[str] = set()
        self.gone_s: dict[int, float] = {}  # jobs that the queue does not list: since when
        self.holds = HoldWatch(self.name, patience_s=how.held_s)
        self.looked_s = 0.0
        self.most_elements = slurm_queue.max_array_size()
        first = self.register.next_number()
        self._take_up(self._queued())
        self.plan = self._planned(tasks, first)
        self.journals = Journals()

    def run(self) -> dict[str, Result]:
        with stopped_by_signals():
            try:
                while not self.graph.is_finished:
                    self._submit()
                    self._read()
                    self._look()
                    self._forget_settled()
                    self._tick()
                    time.sleep(self.how.poll_s)
            except KeyboardInterrupt as stop:
                if not is_hang_up(stop):  # jobs go on when a connection to the login node is lost
                    slurm_queue.cancel(self.name)
                raise
        return self.graph.results

    def _queued(self) -> Mapping[str, slurm_queue.QueuedJob]:
        """The jobs that an earlier run left. Without an answer they are waited for: they would be submitted a second time."""
        while (queued := slurm_queue.jobs(self.name)) is None and self.register.all():
            time.sleep(self.how.poll_s)
        return queued or {}

    def _take_up(self, queued: Mapping[str, slurm_queue.QueuedJob]) -> None:
        """Keep the jobs of an earlier run that can still do what this one wants; cancel those that wait in vain."""
        covered: set[str] = set()
        for job in self.register.all():
            wanted = {name for name in job.tasks if name in self.graph.tasks}
            if job.slurm_id not in queued or not wanted:
                continue
            ended = outcomes([journal_path(self.how.folder, number) for number in (job.number, *job.needs)])
            lost = [
                one for one in job.outside if one in self.graph.tasks and one not in covered and not _done(ended, one)
            ]
            failed = [one for one in wanted if one in ended and not _done(ended, one)]
            if not lost and not failed:
                self.jobs[job.number] = job
                covered |= wanted
            elif wanted == set(job.tasks) and queued[job.slurm_id].state == "PENDING":
                slurm_queue.cancel(self.name, [job.slurm_id])
        if covered:
            log.info(f"{len(self.jobs)} jobs of an earlier run are still queued and taken up: {len(covered)} stages")

    def _planned(self, tasks: Sequence[Task], first: int) -> _Plan:
        """Bundles of what no job is queued for, numbered from `first`."""
        how, taken = self.how, {name: job.number for job in self.jobs.values() for name in job.tasks}
        open_tasks = [task for task in tasks if task.id not in taken]
        ids = {task.id for task in open_tasks}
        inner = [replace(task, deps=tuple(d for d in task.deps if d in ids)) for task in open_tasks]
        bundles = bundles_of(
            inner, table=how.table, most_tasks=how.stages_per_job, most_s=how.job_s, workers=how.workers
        )
        plan = _Plan()
        for number, (bundle, needs) in enumerate(zip(bundles, needs_of(bundles), strict=True), start=first):
            whole = Bundle(tuple(self.graph.tasks[task.id] for task in bundle.tasks), bundle.resources)
            plan.waiting[number] = whole
            plan.needs[number] = {first + one for one in needs} | {taken[dep] for dep in whole.outside if dep in taken}
        return plan

    def _submit(self) -> None:
        """Put as many jobs into the queue as may be there, like ones as arrays."""
        while self.plan.waiting and (free := self.how.max_jobs - len(self.jobs) - len(self.ending)) > 0:
            numbers = self._alike(min(free, self.most_elements))
            bundle, needs = self.plan.waiting[numbers[0]], self.plan.needs[numbers[0]]
            calls = []
            for number in numbers:
                write_job(self.how.folder, number, self.plan.waiting[number], needs=sorted(needs))
                calls.append(JobRun(str(self.how.folder.absolute()), number, os.getcwd(), self.how.threads))
            after = [self.jobs[one].slurm_id for one in sorted(needs) if one in self.jobs]
            ids = submit(
                calls,
                folder=self.how.folder,
                name=self.name,
                resources=bundle.resources,
                after=after,
                how=self.how.sbatch,
            )
            if ids is None:  # the controller does not answer: later
                return
            new = [self._submitted(number, slurm_id) for number, slurm_id in zip(numbers, ids, strict=True)]
            self.register.add(new)
            self.jobs |= {job.number: job for job in new}
            for number in numbers:
                del self.plan.waiting[number]

    def _alike(self, most: int) -> list[int]:
        """The next bundle's number, with those after it that ask for the same and wait for the same."""
        first = next(iter(self.plan.waiting))
        same = (self.plan.waiting[first].resources, self.plan.needs[first])
        alike = itertools.takewhile(
            lambda number: (self.plan.waiting[number].resources, self.plan.needs[number]) == same, self.plan.waiting
        )
        return list(itertools.islice(alike, most))

    def _submitted(self, number: int, slurm_id: str) -> Submitted:
        bundle, needs = self.plan.waiting[number], self.plan.needs[number]
        tasks = tuple(task.id for task in bundle.tasks)
        return Submitted(number, slurm_id, tasks, tuple(sorted(bundle.outside)), tuple(sorted(needs)))

    def _read(self) -> None:
        """What jobs noted since the last time."""
        for note in self.journals.fresh([journal_path(self.how.folder, number) for number in sorted(self.jobs)]):
            if note.task in self.graph.tasks and note.task not in self.graph.results:
                self._take(note)

    def _forget_settled(self) -> None:
        """Take jobs off the list that have nothing more to say; those that would wait for a failed one are cancelled."""
        settled = [job for job in self.jobs.values() if all(map(self._is_settled, job.tasks))]
        for job in settled:
            del self.jobs[job.number]
            self.ending.add(job.slurm_id)
        vain = [job.slurm_id for job in settled if all(map(self._is_skipped, job.tasks))]
        if vain:
            slurm_queue.cancel(self.name, vain)
        for number, bundle in list(self.plan.waiting.items()):
            if all(self._is_skipped(task.id) for task in bundle.tasks):
                del self.plan.waiting[number]

    def _take(self, note: Note) -> None:
        if note.kind == "done":
            self.graph.finish(note.task, None, note.seconds)
        elif note.kind == "failed":
            self.graph.fail(note.task, str(note.error), seconds=note.seconds)
        elif note.kind == "skipped":  # its cause will come from the job that it rests on
            self.skipped[note.task] = str(note.error)
        else:
            (self.running.add if note.kind in ("started", "progress") else self.running.discard)(note.task)
            self.graph.tell(note.kind, note.task, fraction=note.fraction, error=note.error)
        if note.is_end:
            self.running.discard(note.task)

    def _is_settled(self, task_id: str) -> bool:
        return task_id not in self.graph.tasks or task_id in self.graph.results

    def _is_skipped(self, task_id: str) -> bool:
        return task_id in self.graph.results and self.graph.results[task_id].status == "skipped"

    def _look(self) -> None:
        """Forget jobs that have ended, and fail the tasks of those that left the queue without a word of them."""
        now_s = time.monotonic()
        if now_s - self.looked_s < LOOK_EVERY_S or not (self.jobs or self.ending):
            return
        self.looked_s = now_s
        queued = slurm_queue.jobs(self.name)
        if queued is None:  # no answer: the jobs go on without the controller
            return
        self.ending &= set(queued)
        self._give_up(self.holds.look(queued, now_s=now_s))
        for number, job in list(self.jobs.items()):
            if job.slurm_id in queued:
                self.gone_s.pop(number, None)
            elif now_s - self.gone_s.setdefault(number, now_s) >= GRACE_S:
                self._bury(job)

    def _give_up(self, reasons: Mapping[str, str]) -> None:
        """Cancel jobs that will not start, and fail their tasks; later, where the controller does not answer."""
        for job in [job for job in self.jobs.values() if job.slurm_id in reasons]:
            if slurm_queue.cancel(self.name, [job.slurm_id]):
                del self.jobs[job.number]
                self.ending.add(job.slurm_id)
                self._fail(job, reasons[job.slurm_id])

    def _bury(self, job: Submitted) -> None:
        del self.jobs[job.number]
        state = slurm_queue.state_of(job.slurm_id) or "its end is forgotten"
        where = f"{self.how.folder / job.slurm_id}_0_log.err"
        self._fail(job, f"SLURM job {job.slurm_id} ended before it ({state}); see {where}")

    def _fail(self, job: Submitted, reason: str) -> None:
        """The tasks of which it has not said what became of them."""
        for task_id in job.tasks:
            if not self._is_settled(task_id):
                self.graph.fail(task_id, self.skipped.get(task_id) or reason)

    def _tick(self) -> None:
        """Let whoever listens have its turn, whether or not a job runs."""
        left = next((one for one in (*self.running, *self.graph.tasks) if one not in self.graph.results), None)
        if left is not None:
            self.graph.tell("tick", left)


def _done(ended: Mapping[str, Note], task_id: str) -> bool:
    return task_id in ended and ended[task_id].kind == "done"
