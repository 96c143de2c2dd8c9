"""Runs a graph of tasks over local worker processes: each task once, as soon as its inputs are there.

    tasks = [Task("base", (), "rft.execute.stages:StageTask", payload, cost_s=60.0, group="base", affinity="nano-s"),
             Task("sft", ("base",), "rft.execute.stages:StageTask", payload2, cost_s=20.0, group="finetune")]
    results = run_graph(tasks, workers=2, threads=1, on_event=lambda event: None)
    results["sft"].status, results["sft"].value, results["sft"].error, results["sft"].seconds

    >>> priorities([Task("base", (), "m:f", None, cost_s=60.0), Task("sft", ("base",), "m:f", None, cost_s=20.0)])
    {'sft': 20.0, 'base': 80.0}

The task with the longest chain of work that starts with it goes first (`priorities`, in seconds). A failed task's dependents
are skipped with the root cause, all others go on. A worker that dies, or is silent for `stall_s` seconds, fails only its
task, after one retry. A task whose stage another process computes (rft.infra.entry.Busy) gives its worker back and is tried
later. Ctrl-C, SIGTERM and SIGHUP stop all workers within seconds; what they had finished stays finished.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from rft.infra.interrupts import stopped_by_signals
from rft.infra.process import Worker

_RETRY_BUSY_S = (0.05, 1.0)  # first and longest pause before a busy task is tried again
_MAX_ATTEMPTS = 2  # of a task whose worker died
_AFFINITY_SLACK = 0.8  # a task that fits this worker's warm caches goes first from this share of the top priority on
_STOP_S = 3.0  # workers' time for cleaning up when interrupted


@dataclass(frozen=True)
class Task:
    """One node of the graph."""

    id: str
    deps: tuple[str, ...]  # ids of tasks that must be done before
    function: str  # 'package.module:callable', called as function(payload, report)
    payload: Any  # picklable
    cost_s: float = 1.0  # estimated seconds
    group: str = ""  # kind of work, for progress and estimates
    affinity: str = ""  # tasks with one affinity prefer one worker, for its caches; empty: none
    model: str = ""  # tasks of one group and model share a speed, for estimates


@dataclass(frozen=True)
class Result:
    """What came of a task."""

    status: str  # done | failed | skipped
    value: Any = None  # returned by the function, when done
    error: str | None = None  # one line, when failed or skipped
    traceback: str | None = None  # when the function raised
    seconds: float = 0.0


@dataclass(frozen=True)
class Event:
    """One step of the run, for progress displays."""

    kind: str  # started | progress | done | failed | skipped | retried | waiting | tick (a second without news)
    task: Task
    fraction: float = 0.0  # of the task, for progress
    seconds: float = 0.0  # for done and failed
    error: str | None = None  # for failed, skipped, retried, waiting


OnEvent = Callable[[Event], None]


def run_graph(
    tasks: Sequence[Task], *, workers: int, threads: int, on_event: OnEvent, stall_s: float | None = None
) -> dict[str, Result]:
    """Run all tasks over up to `workers` processes of `threads` threads each; results by task id, for every task.

    A worker that says nothing of its task for `stall_s` seconds is taken for dead (None: waited for without end).
    Raises ValueError for repeated ids, unknown dependencies, a cycle or workers < 1; KeyboardInterrupt on Ctrl-C, SIGTERM or
    SIGHUP, after stopping the workers; RuntimeError when worker processes cannot start at all.
    """
    if workers < 1 or threads < 1:
        raise ValueError(f"workers and threads must be at least 1, got {workers} and {threads}")
    if stall_s is not None and not stall_s > 0:
        raise ValueError(f"stall_s={stall_s} is outside (0, inf): seconds without progress, or null")
    return _Run(tasks, workers=workers, threads=threads, on_event=on_event, stall_s=stall_s).run()


def priorities(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds of the longest chain of work that starts with each task. Raises ValueError for a malformed graph."""
    by_id = {task.id: task for task in tasks}
    if len(by_id) != len(tasks):
        raise ValueError(f"task ids repeat: {sorted({t.id for t in tasks if by_id[t.id] is not t})}")
    unknown = {dep for task in tasks for dep in task.deps} - by_id.keys()
    if unknown:
        raise ValueError(f"tasks depend on ids that are not in the graph: {sorted(unknown)}")
    dependents = _dependents(tasks)
    longest: dict[str, float] = {}
    missing = {task.id: len(dependents[task.id]) for task in tasks}
    ready = [task_id for task_id, count in missing.items() if count == 0]
    while ready:
        task = by_id[ready.pop()]
        longest[task.id] = task.cost_s + max((longest[d] for d in dependents[task.id]), default=0.0)
        for dep in set(task.deps):
            missing[dep] -= 1
            if missing[dep] == 0:
                ready.append(dep)
    if len(longest) != len(tasks):
        raise ValueError(f"tasks depend on each other in a circle: {sorted(by_id.keys() - longest.keys())}")
    return longest


def _dependents(tasks: Sequence[Task]) -> dict[str, list[str]]:
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for dep in set(task.deps):
            dependents[dep].append(task.id)
    return dependents


class _Run:
    """The state of one run_graph call."""

    def __init__(
        self, tasks: Sequence[Task], *, workers: int, threads: int, on_event: OnEvent, stall_s: float | None
    ) -> None:
        self.priority = priorities(tasks)
        self.tasks = {task.id: task for task in tasks}
        self.dependents = _dependents(tasks)
        self.missing = {task.id: len(set(task.deps)) for task in tasks}
        self.ready = {task.id for task in tasks if not task.deps}
        self.postponed: dict[str, float] = {}  # busy task -> monotonic time to try it again
        self.pauses: dict[str, float] = {}  # busy task -> its last pause in seconds
        self.attempts: dict[str, int] = {}
        self.results: dict[str, Result] = {}
        self.num_workers = min(workers, len(tasks))
        self.threads = threads
        self.on_event = on_event
        self.stall_s = stall_s
        self.workers: list[Worker] = []
        self.num_stillborn = 0

    def run(self) -> dict[str, Result]:
        with stopped_by_signals():
            try:
                while len(self.results) < len(self.tasks):
                    self._wake_postponed()
                    self._dispatch()
                    self._listen()
                    self._watch()
            finally:
                self._stop_workers()
        return self.results

    def _dispatch(self) -> None:
        for worker in [w for w in self.workers if w.idle]:
            if self.ready:
                self._start(worker, self._choose(worker))
        starting = sum(not worker.is_ready for worker in self.workers)
        for _ in range(min(len(self.ready) - starting, self.num_workers - len(self.workers))):
            self.workers.append(Worker(threads=self.threads))

    def _choose(self, worker: Worker) -> str:
        """Longest path first; among nearly equals, one whose data this worker has in memory, then one nobody has."""
        top = max(self.priority[task_id] for task_id in self.ready)
        near = [task_id for task_id in self.ready if self.priority[task_id] >= top * _AFFINITY_SLACK]
        others = {other.affinity for other in self.workers if other is not worker}

        def order(task_id: str) -> tuple[int, float, str]:
            affinity = self.tasks[task_id].affinity
            rank = 0 if affinity and affinity == worker.affinity else 2 if affinity in others else 1
            return rank, -self.priority[task_id], task_id

        return min(near, key=order)

    def _start(self, worker: Worker, task_id: str) -> None:
        task = self.tasks[task_id]
        self.ready.remove(task_id)
        try:
            worker.send(task_id, task.affinity, (task.function, task.payload))
        except OSError:  # it died while idle; _listen will see that and retry the task elsewhere
            return
        except Exception as error:  # the payload cannot be pickled
            worker.task_id = None
            self._fail(task_id, f"its payload cannot be sent: {type(error).__name__}: {error}", None, 0.0)
            return
        self.on_event(Event("started", task))

    def _listen(self) -> None:
        """Handle what workers say, or time passing."""
        if len(self.results) == len(self.tasks):
            return
        pipes = {worker.pipe: worker for worker in self.workers}
        timeout_s = min([1.0, *(at - time.monotonic() for at in self.postponed.values())])
        speaking = wait(list(pipes), timeout=max(0.0, timeout_s))
        running = [worker.task_id for worker in self.workers if worker.task_id is not None]
        if running and not speaking:
            self.on_event(Event("tick", self.tasks[running[0]]))
        for pipe in speaking:
            worker = pipes[pipe]  # type: ignore[index]
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):
                self._bury(worker)
            else:
                self._handle(worker, message)
        for worker in [w for w in self.workers if w.is_dead]:  # its pipe may be held open by a process it started
            if not worker.pipe.poll():
                self._bury(worker)

    def _watch(self) -> None:
        """Give up on workers that have said nothing for too long: an engine may hang."""
        oldest_s = time.monotonic() - (self.stall_s or math.inf)
        for worker in [w for w in self.workers if w.task_id is not None and w.heard_s < oldest_s]:
            self._bury(worker, cause=f"no progress in {self.stall_s or math.inf:g} s")

    def _handle(self, worker: Worker, message: tuple[Any, ...]) -> None:
        worker.heard_s = time.monotonic()
        if message[0] == "ready":
            worker.is_ready = True
            self.num_stillborn = 0
            return
        task_id = worker.task_id
        assert task_id is not None, f"worker without a task sent {message[0]}"
        if message[0] == "progress":
            self.on_event(Event("progress", self.tasks[task_id], fraction=message[1]))
            return
        worker.task_id = None
        if message[0] == "done":
            self._finish(task_id, message[1], message[2])
        elif message[0] == "busy":
            self._postpone(task_id, message[1])
        else:
            self._fail(task_id, message[1], message[2], message[3])

    def _finish(self, task_id: str, value: Any, seconds: float) -> None:
        self.results[task_id] = Result("done", value=value, seconds=seconds)
        for dependent in self.dependents[task_id]:
            self.missing[dependent] -= 1
            if self.missing[dependent] == 0 and dependent not in self.results:
                self.ready.add(dependent)
        self.on_event(Event("done", self.tasks[task_id], fraction=1.0, seconds=seconds))

    def _fail(self, task_id: str, error: str, trace: str | None, seconds: float) -> None:
        self.results[task_id] = Result("failed", error=error, traceback=trace, seconds=seconds)
        self.on_event(Event("failed", self.tasks[task_id], seconds=seconds, error=error))
        reason = f"needs {task_id}, which failed: {error}"
        pending = list(self.dependents[task_id])
        while pending:
            dependent = pending.pop()
            if dependent not in self.results:
                self.results[dependent] = Result("skipped", error=reason)
                self.on_event(Event("skipped", self.tasks[dependent], error=reason))
                pending.extend(self.dependents[dependent])

    def _postpone(self, task_id: str, reason: str) -> None:
        pause = min(2 * self.pauses.get(task_id, _RETRY_BUSY_S[0] / 2), _RETRY_BUSY_S[1])
        self.pauses[task_id] = pause
        self.postponed[task_id] = time.monotonic() + pause
        self.on_event(Event("waiting", self.tasks[task_id], error=reason))

    def _wake_postponed(self) -> None:
        for task_id in [task_id for task_id, at in self.postponed.items() if at <= time.monotonic()]:
            del self.postponed[task_id]
            self.ready.add(task_id)

    def _bury(self, worker: Worker, *, cause: str | None = None) -> None:
        """A worker died, or hangs: its task is retried once, a new worker takes its place when there is work."""
        self.workers.remove(worker)
        ended = worker.bury()
        cause = cause or ended
        if worker.task_id is None:
            self.num_stillborn += not worker.is_ready
            if self.num_stillborn > 2 * self.num_workers:
                raise RuntimeError(
                    f"worker processes end before they can take a task ({cause}); see their output above"
                )
            return
        task_id = worker.task_id
        self.attempts[task_id] = self.attempts.get(task_id, 0) + 1
        if self.attempts[task_id] < _MAX_ATTEMPTS:
            self.ready.add(task_id)
            self.on_event(Event("retried", self.tasks[task_id], error=cause))
        else:
            error = (
                f"its worker process ended {_MAX_ATTEMPTS} times ({cause}); run the same command again to try it again"
            )
            self._fail(task_id, error, None, 0.0)

    def _stop_workers(self) -> None:
        deadline = time.monotonic() + _STOP_S
        for worker in self.workers:
            worker.close()
        for worker in self.workers:
            worker.join(deadline)
        self.workers = []
