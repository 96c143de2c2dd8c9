"""How much of a graph's work is done and how long the rest will take, learned from what has run. Knows no clock.

    estimate = Estimate(tasks, workers=2)
    estimate.update(Event("done", task, seconds=41.2), now_s=60.0)
    estimate.remaining_s(now_s=60.0)                                 # 1310.0

What a task will take is its planned cost times a learned factor: measured over planned seconds of the finished (and
the half-finished) tasks like it. A factor is shrunk towards a wider one, the fewer tasks it rests on: those of its kind
and model towards its kind's, a kind's towards that of all kinds, and that one towards the plan itself. So one slow stage
says much about its like and little about the rest:

    corpus, planned 10 s, took 26 s  ->  the next corpus 16 s, everything else 1.06 times the plan
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rft.infra.scheduler import Event, Task, priorities

PRIOR_TASKS = 1.0  # average tasks of a kind (or a kind's model) that count as having taken what the wider factor says
PRIOR_KINDS = 6.0  # kinds that count as having taken what was planned: a machine differs by kinds of work at once
PRIOR_S = 1.0  # seconds by which every prior is stronger, so that tiny tasks prove little
FRACTION_TRUSTED = 0.1  # of a running task: its own pace then weighs as much as the estimate
_MOST_SAID = math.log(3.0)  # a kind further off than this was planned wrongly, which says nothing of the others
_TINY_S = 1e-3
OVERDUE = 0.1  # of its time so far: what a task without reported progress still takes once it is over its estimate


@dataclass
class _Work:
    """Finished work: planned seconds, and these times the logarithm of measured over planned.

    A geometric mean, because what makes a task slow (a first import, a busy machine) multiplies, and one that hung for half
    a minute must not speak for hundreds to come.
    """

    planned_s: float = 0.0
    log_factors: float = 0.0

    def add(self, planned_s: float, measured_s: float) -> None:
        self.planned_s += planned_s
        self.log_factors += planned_s * math.log(max(measured_s, _TINY_S) / max(planned_s, _TINY_S))

    def merge(self, other: _Work) -> None:
        self.planned_s += other.planned_s
        self.log_factors += other.log_factors

    def factor(self, *, towards: float, prior_s: float) -> float:
        """Measured over planned, as if `prior_s` planned seconds more had taken what the wider factor says."""
        return math.exp((self.log_factors + prior_s * math.log(towards)) / (self.planned_s + prior_s))


class Estimate:
    """The state of a running graph."""

    def __init__(self, tasks: Sequence[Task], *, workers: int) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.workers = max(1, workers)
        self.running: dict[str, tuple[float, float]] = {}  # id -> (start time, fraction done)
        self.ended: set[str] = set()
        self._finished: dict[tuple[str, str], _Work] = {}  # by kind and what shares a speed within it
        self._prior_s = {kind: PRIOR_S + PRIOR_TASKS * mean for kind, mean in _mean_costs(tasks).items()}

    def update(self, event: Event, *, now_s: float) -> None:
        """Take in one event of the scheduler."""
        task = event.task
        if event.kind == "started":
            self.running[task.id] = (now_s, 0.0)
        elif event.kind == "progress" and task.id in self.running:
            self.running[task.id] = (self.running[task.id][0], event.fraction)
        elif event.kind in ("retried", "waiting"):
            self.running.pop(task.id, None)
        elif event.kind in ("done", "failed", "skipped"):
            self.running.pop(task.id, None)
            self.ended.add(task.id)
        if event.kind == "done":
            self._finished.setdefault(_place(task), _Work()).add(task.cost_s, event.seconds)

    def remaining_s(self, *, now_s: float) -> float:
        """Seconds until all is done: the longest chain, or the sum over the workers, whichever is more."""
        left = self._left(now_s)
        if not left:
            return 0.0
        rest = [_with_cost(self.tasks[task_id], seconds, left) for task_id, seconds in left.items()]
        return max(*priorities(rest).values(), sum(left.values()) / self.workers)

    def fraction(self, *, now_s: float) -> float:
        """Share of all work that is done, in [0, 1], by corrected estimates."""
        factors = self.factors(now_s=now_s)
        left_s = sum(self._left(now_s).values())
        total_s = sum(task.cost_s * factors[_place(task)] for task in self.tasks.values())
        return 1.0 - min(1.0, left_s / total_s) if total_s > 0 else 1.0

    def factors(self, *, now_s: float) -> dict[tuple[str, str], float]:
        """The learned factor of every kind of work and what shares a speed within it."""
        narrow = self._measured(now_s)
        kinds: dict[str, _Work] = {}
        for (kind, _), work in narrow.items():
            kinds.setdefault(kind, _Work()).merge(work)
        common = self._common(kinds)
        found: dict[tuple[str, str], float] = {}
        for place in {_place(task) for task in self.tasks.values()}:
            prior_s = self._prior_s[place[0]]
            wide = kinds.get(place[0], _Work()).factor(towards=common, prior_s=prior_s)
            found[place] = narrow.get(place, _Work()).factor(towards=wide, prior_s=prior_s)
        return found

    def _common(self, kinds: dict[str, _Work]) -> float:
        """The factor of work of which nothing has run: the mean over kinds, each by how much of it was seen."""
        total, weights = 0.0, PRIOR_KINDS
        for kind, work in kinds.items():
            weight = work.planned_s / (work.planned_s + self._prior_s[kind])
            said = math.log(work.factor(towards=1.0, prior_s=PRIOR_S))
            total += weight * max(-_MOST_SAID, min(_MOST_SAID, said))
            weights += weight
        return math.exp(total / weights)

    def _measured(self, now_s: float) -> dict[tuple[str, str], _Work]:
        """Finished work, and of running tasks the part that they report as done."""
        found = {place: _Work(work.planned_s, work.log_factors) for place, work in self._finished.items()}
        for task_id, (started_s, fraction) in self.running.items():
            if fraction >= FRACTION_TRUSTED:
                task = self.tasks[task_id]
                found.setdefault(_place(task), _Work()).add(fraction * task.cost_s, now_s - started_s)
        return found

    def _left(self, now_s: float) -> dict[str, float]:
        """Seconds that each task without a result still takes."""
        factors = self.factors(now_s=now_s)
        return {
            task.id: self._left_s(task, task.cost_s * factors[_place(task)], now_s)
            for task in self.tasks.values()
            if task.id not in self.ended
        }

    def _left_s(self, task: Task, estimated_s: float, now_s: float) -> float:
        if task.id not in self.running:
            return estimated_s
        started_s, fraction = self.running[task.id]
        elapsed_s = now_s - started_s
        if fraction > 0:
            trust = fraction / (fraction + FRACTION_TRUSTED)
            return (trust * elapsed_s / fraction + (1.0 - trust) * estimated_s) * (1.0 - fraction)
        return max(estimated_s - elapsed_s, OVERDUE * elapsed_s)


def _place(task: Task) -> tuple[str, str]:
    return task.group, task.model


def _mean_costs(tasks: Sequence[Task]) -> dict[str, float]:
    """Planned seconds of an average task, by kind."""
    costs: dict[str, list[float]] = {}
    for task in tasks:
        costs.setdefault(task.group, []).append(task.cost_s)
    return {kind: sum(own) / len(own) for kind, own in costs.items()}


def _with_cost(task: Task, cost_s: float, left: dict[str, float]) -> Task:
    return Task(task.id, tuple(dep for dep in task.deps if dep in left), task.function, None, cost_s=cost_s)
