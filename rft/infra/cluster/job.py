"""What one SLURM job does: the tasks of its bundle, one after the other, over a worker process of its own.

    write_job(folder, 12, bundle, needs=[3, 4])     # folder/job-12.pickle
    JobRun(str(folder), 12, cwd="/home/me/rft", threads=1)()      # in the job; folder/job-12.jsonl says what became of it

A task whose input failed, or whose input's job ended without a word, is skipped with that reason: jobs wait for the end of
others, not for their success, so that none stays in the queue for ever. A job that is requeued (preempted, out of time, its
node lost) leaves out what it had done.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rft.infra.cluster import slurm_queue
from rft.infra.cluster.bundles import Bundle
from rft.infra.cluster.journal import Journal, Note, outcomes
from rft.infra.graph import Task, needs_failed
from rft.infra.scheduler import run_graph
from rft.whole import write_bytes

NO_WORD = "its job ended without a word of it"


def journal_path(folder: Path, number: int) -> Path:
    """Where a job notes what becomes of its tasks."""
    return folder / f"job-{number}.jsonl"


def write_job(folder: Path, number: int, bundle: Bundle, *, needs: Sequence[int]) -> None:
    """What the job will need, beside its journal to come; `needs` are the jobs whose journals it looks into."""
    content = pickle.dumps((bundle.tasks, tuple(needs)))
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / f"job-{number}.pickle", content)


@dataclass(frozen=True)
class JobRun:
    """Called in the job; submitit sends it there."""

    folder: str
    number: int
    cwd: str  # of the sweep: configurations may name files from there
    threads: int

    def __call__(self) -> None:
        """Run what can run. Never raises for a task's fault: that is in the journal."""
        os.chdir(self.cwd)
        folder = Path(self.folder)
        tasks, needs = pickle.loads((folder / f"job-{self.number}.pickle").read_bytes())  # written by the sweep
        found = outcomes(journal_path(folder, number) for number in (*needs, self.number))
        journal = Journal(journal_path(folder, self.number))
        todo, skipped = runnable(tasks, found)
        for task_id, reason in skipped.items():
            journal.note("skipped", task_id, error=reason)
        if todo:
            with _put_back_when_preempted():
                run_graph(todo, workers=1, threads=self.threads, on_event=journal.on_event)
        journal.close()

    def checkpoint(self, *_: Any) -> Any:
        """For submitit, when SLURM is about to end the job: run the same again, which goes on where this one was."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@contextmanager
def _put_back_when_preempted() -> Iterator[None]:
    """A job that is preempted is told by SIGTERM and has a time of grace, in which it counts as running: if it ended then by
    itself, that would be its end. One that is cancelled is told so too, but does not count as running any more.
    """
    try:
        yield
    except KeyboardInterrupt:
        job_id = os.environ.get("SLURM_JOB_ID", "")
        if job_id and slurm_queue.state_of(job_id) == "RUNNING":
            slurm_queue.requeue(job_id)
        raise


def runnable(tasks: Sequence[Task], found: Mapping[str, Note]) -> tuple[list[Task], dict[str, str]]:
    """(tasks that can run now, waiting for each other alone; reasons by id of those that never can).

    `found` is what became of the tasks that these rest on, and of those of them that ran before.
    """
    own = {task.id for task in tasks}
    done = {task_id for task_id, note in found.items() if note.kind == "done"}
    todo: list[Task] = []
    reasons: dict[str, str] = {}
    for task in tasks:
        if task.id in done:
            continue
        reason = next(
            (_reason(dep, found, reasons) for dep in task.deps if dep not in done and _lost(dep, own, reasons)), None
        )
        if reason is None:
            todo.append(replace(task, deps=tuple(dep for dep in task.deps if dep in own and dep not in done)))
        else:
            reasons[task.id] = reason
    return todo, reasons


def _lost(dep: str, own: set[str], reasons: Mapping[str, str]) -> bool:
    """Whether what is not done cannot be done in this job either."""
    return dep not in own or dep in reasons


def _reason(dep: str, found: Mapping[str, Note], reasons: Mapping[str, str]) -> str:
    """The root cause, which is said once and handed on."""
    if dep in reasons:
        return reasons[dep]
    note = found.get(dep)
    if note is None:
        return needs_failed(dep, NO_WORD)
    return str(note.error) if note.kind == "skipped" else needs_failed(dep, str(note.error))
