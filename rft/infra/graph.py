"""A graph of tasks and how far it is, whatever runs them: what is ready, what came of each, what cannot run any more.

    >>> tasks = [Task("base", (), "m:f", None, cost_s=60.0), Task("sft", ("base",), "m:f", None, cost_s=20.0)]
    >>> priorities(tasks)
    {'sft': 20.0, 'base': 80.0}
    >>> graph = Graph(tasks, on_event=lambda event: None)
    >>> graph.fail("base", "RuntimeError: it broke")
    >>> graph.results["sft"].status, graph.is_finished
    ('skipped', True)

Executors (rft.execute.executor) decide where tasks run and tell the graph what came of them; the graph tells `on_event`.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rft.infra.ready import ReadyTasks

RETRY_BUSY_S = (0.05, 1.0)  # first and longest pause before a task is tried again that another process computes


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


def priorities(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds of the longest chain of work that starts with each task. Raises ValueError for a malformed graph."""
    by_id = {task.id: task for task in tasks}
    if len(by_id) != len(tasks):
        raise ValueError(f"task ids repeat: {sorted({t.id for t in tasks if by_id[t.id] is not t})}")
    unknown = {dep for task in tasks for dep in task.deps} - by_id.keys()
    if unknown:
        raise ValueError(f"tasks depend on ids that are not in the graph: {sorted(unknown)}")
    dependents = dependents_of(tasks)
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


def dependents_of(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """The ids of the tasks that each needs to be done first, by its id."""
    dependents: dict[str, list[str]] = {task.id: [] for task in tasks}
    for task in tasks:
        for dep in set(task.deps):
            dependents[dep].append(task.id)
    return dependents


class Graph:
    """The state of one run over a graph. Raises ValueError for a malformed one."""

    def __init__(
        self,
        tasks: Sequence[Task],
        *,
        on_event: Callable[[Event], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.priority = priorities(tasks)
        self.tasks = {task.id: task for task in tasks}
        self.dependents = dependents_of(tasks)
        self.missing = {task.id: len(set(task.deps)) for task in tasks}
        self.ready = ReadyTasks(
            self.priority, {task.id: task.affinity for task in tasks}
        )  # whoever starts one takes it out
        for task in tasks:
            if not task.deps:
                self.ready.add(task.id)
        self._clock = clock
        self._postponed: list[tuple[float, str]] = []  # when to try it again, and a task that another process computes
        self._pauses: dict[str, float] = {}  # of such tasks the last one, in seconds
        self.results: dict[str, Result] = {}
        self.on_event = on_event

    @property
    def is_finished(self) -> bool:
        """Whether every task has a result."""
        return len(self.results) == len(self.tasks)

    def tell(
        self, kind: str, task_id: str, *, fraction: float = 0.0, seconds: float = 0.0, error: str | None = None
    ) -> None:
        """An event that changes nothing here."""
        self.on_event(Event(kind, self.tasks[task_id], fraction=fraction, seconds=seconds, error=error))

    def postpone(self, task_id: str, reason: str) -> None:
        """Another process computes it: it is ready again after a pause, twice as long each time."""
        pause = min(2 * self._pauses.get(task_id, RETRY_BUSY_S[0] / 2), RETRY_BUSY_S[1])
        self._pauses[task_id] = pause
        heapq.heappush(self._postponed, (self._clock() + pause, task_id))
        self.tell("waiting", task_id, error=reason)

    def wake(self) -> None:
        """Postponed tasks whose pause is over are ready again."""
        while self._postponed and self._postponed[0][0] <= self._clock():
            self.ready.add(heapq.heappop(self._postponed)[1])

    @property
    def pause_s(self) -> float:
        """Seconds until the next postponed task is due; without end where none is."""
        return max(0.0, self._postponed[0][0] - self._clock()) if self._postponed else math.inf

    def finish(self, task_id: str, value: Any, seconds: float) -> None:
        """The task is done: what waited for it alone becomes ready."""
        self.results[task_id] = Result("done", value=value, seconds=seconds)
        for dependent in self.dependents[task_id]:
            self.missing[dependent] -= 1
            if self.missing[dependent] == 0 and dependent not in self.results:
                self.ready.add(dependent)
        self.tell("done", task_id, fraction=1.0, seconds=seconds)

    def fail(self, task_id: str, error: str, *, trace: str | None = None, seconds: float = 0.0) -> None:
        """The task failed: all that rests on it is skipped, with the root cause."""
        self.results[task_id] = Result("failed", error=error, traceback=trace, seconds=seconds)
        self.tell("failed", task_id, seconds=seconds, error=error)
        reason = needs_failed(task_id, error)
        pending = list(self.dependents[task_id])
        while pending:
            dependent = pending.pop()
            if dependent not in self.results:
                self.results[dependent] = Result("skipped", error=reason)
                self.tell("skipped", dependent, error=reason)
                pending.extend(self.dependents[dependent])


def needs_failed(task_id: str, error: str) -> str:
    """Why a task cannot run that rests on a failed one."""
    return f"needs {task_id}, which failed: {error}"
