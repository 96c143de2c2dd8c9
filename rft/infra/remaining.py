"""How much of a graph's work is done and how long the rest will take, learned from what has run. Time is an argument.

    >>> kinds = {"corpus-1": "corpus", "corpus-2": "corpus", "sft": "finetune"}
    >>> tasks = [Task(name, (), "m:f", None, cost_s=10.0, group=kind) for name, kind in kinds.items()]
    >>> estimate = Estimate(tasks, workers=1)
    >>> estimate.update(Event("done", tasks[0], seconds=26.0), now_s=26.0)      # planned 10 s, took 26 s
    >>> sorted((kind, round(factor, 2)) for (kind, model), factor in estimate.factors(now_s=26.0).items())
    [('corpus', 1.79), ('finetune', 1.07)]
    >>> round(estimate.remaining_s(now_s=26.0))                                 # 10 s x 1.79 + 10 s x 1.07
    29

What a task will take is its planned cost times a learned factor: measured over planned seconds of the finished (and
half-finished) tasks like it. The fewer tasks a factor rests on, the more it is shrunk towards a wider one: that of a kind and
model towards that of the kind, a kind's towards that of all kinds, and that one towards the plan itself. So one slow task
says much about tasks like it and little about the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rft.infra.graph import Event, Task, priorities

PRIOR_TASKS = 1.0  # weight of the wider factor, as a number of average tasks of the kind (or of the kind's model)
MODEL_PRIOR = 4.0  # times that, for a model within its kind: it takes more to hold that a model differs
PRIOR_KINDS = 6.0  # weight of the plan itself in the factor of all kinds, as a number of kinds that ran as planned
PRIOR_S = 1.0  # seconds added to the weight of every prior, so that tiny tasks prove little
MEMORY = 0.95  # decay of a task's weight with each later one: about the last twenty describe the machine as it is now
FRACTION_TRUSTED = 0.1  # done part of a running task from which on its own pace outweighs the estimate
MOST_SAID = math.log(3.0)  # most that one kind may say of all others: if it is further off, its plan was wrong
MOST_SURPRISE = math.log(4.0)  # most that one task may add: one that hung for a minute must not speak for hundreds
TINY_S = 1e-3
OVERDUE = 0.1  # share of its time so far that a task over its estimate, without reported progress, still takes


@dataclass
class _Mean:
    """A weighted mean of logarithms of measured over planned seconds, in which the past fades.

    Of logarithms, because what makes a task slow (a first import, a busy machine) multiplies.
    """

    weight_s: float = 0.0  # planned seconds
    total: float = 0.0

    def plus(self, value: float, *, weight_s: float) -> _Mean:
        return _Mean(MEMORY * self.weight_s + weight_s, MEMORY * self.total + weight_s * value)

    def shrunk(self, *, towards: float, prior_s: float) -> float:
        return (self.total + prior_s * towards) / (self.weight_s + prior_s)


class Estimate:
    """The state of a running graph."""

    def __init__(self, tasks: Sequence[Task], *, workers: int) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.workers = max(1, workers)
        self.running: dict[str, tuple[float, float]] = {}  # id -> (start time, fraction done)
        self.ended: set[str] = set()
        self._kinds: dict[str, _Mean] = {}  # without what their models add
        self._models: dict[tuple[str, str], _Mean] = {}  # what a model adds to its kind
        self._places = {_place(task) for task in tasks}
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
            self._learn(task, planned_s=task.cost_s, measured_s=event.seconds, kinds=self._kinds, models=self._models)

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
        """The learned factor of every kind of work and model: finished tasks, and what running ones report as done."""
        kinds, models = dict(self._kinds), dict(self._models)
        for task_id, (started_s, fraction) in self.running.items():
            if fraction >= FRACTION_TRUSTED:
                task = self.tasks[task_id]
                done_s = fraction * task.cost_s
                self._learn(task, planned_s=done_s, measured_s=now_s - started_s, kinds=kinds, models=models)
        common = self._common(kinds)
        return {
            (kind, model): math.exp(self._log_kind(kind, kinds, common) + self._log_model((kind, model), models))
            for kind, model in self._places
        }

    def _learn(
        self,
        task: Task,
        *,
        planned_s: float,
        measured_s: float,
        kinds: dict[str, _Mean],
        models: dict[tuple[str, str], _Mean],
    ) -> None:
        """Share what a task took between its kind, as the machine runs it now, and its model: each takes what the other
        does not explain, so that a busy machine seen through one model is not held against the next."""
        place = _place(task)
        of_kind, of_model = self._log_kind(task.group, kinds, 0.0), self._log_model(place, models)
        found = math.log(max(measured_s, TINY_S) / max(planned_s, TINY_S))
        found = of_kind + of_model + max(-MOST_SURPRISE, min(MOST_SURPRISE, found - of_kind - of_model))
        kinds[task.group] = kinds.get(task.group, _Mean()).plus(found - of_model, weight_s=planned_s)
        rest = found - self._log_kind(task.group, kinds, 0.0)
        models[place] = models.get(place, _Mean()).plus(rest, weight_s=planned_s)

    def _log_kind(self, kind: str, kinds: dict[str, _Mean], common: float) -> float:
        return kinds.get(kind, _Mean()).shrunk(towards=common, prior_s=self._prior_s[kind])

    def _log_model(self, place: tuple[str, str], models: dict[tuple[str, str], _Mean]) -> float:
        return models.get(place, _Mean()).shrunk(towards=0.0, prior_s=MODEL_PRIOR * self._prior_s[place[0]])

    def _common(self, kinds: dict[str, _Mean]) -> float:
        """Log factor of work of which nothing has run: the mean over kinds, weighted by how much of each was seen."""
        total, weights = 0.0, PRIOR_KINDS
        for kind, mean in kinds.items():
            weight = mean.weight_s / (mean.weight_s + self._prior_s[kind])
            said = mean.shrunk(towards=0.0, prior_s=PRIOR_S)
            total += weight * max(-MOST_SAID, min(MOST_SAID, said))
            weights += weight
        return total / weights

    def _left(self, now_s: float) -> dict[str, float]:
        """Seconds that each unfinished task still takes."""
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
