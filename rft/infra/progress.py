"""Progress of a graph of tasks and the time that remains: a bar on a terminal, a line every ten seconds elsewhere.

    with Progress(tasks, workers=2) as progress:
        results = run_graph(tasks, workers=2, threads=1, on_event=progress.on_event)

    41% | 17 of 38 stages | 1 min 52 s left | finetune sft-nano-s 62%, sample pool-nano-m-3 10%

Estimates are corrected by what has been measured: each group of tasks by its own finished ones, the others by all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from tqdm import tqdm

from rft.infra.scheduler import Event, Task, priorities

_LINE_EVERY_S = 10.0
_BAR_EVERY_S = 0.3
_SCALE_PRIOR = 1.0  # seconds of estimated work that count as having been right, so that one tiny task proves little


class Estimate:
    """How much of a graph's work is done, and how long the rest will take. Knows no clock: times are arguments."""

    def __init__(self, tasks: Sequence[Task], *, workers: int) -> None:
        self.tasks = {task.id: task for task in tasks}
        self.workers = max(1, workers)
        self.running: dict[str, tuple[float, float]] = {}  # id -> (start time, fraction done)
        self.ended: set[str] = set()
        self.measured: dict[str, tuple[float, float]] = {}  # group -> (estimated, measured seconds) of finished tasks

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
            estimated_s, measured_s = self.measured.get(task.group, (0.0, 0.0))
            self.measured[task.group] = (estimated_s + task.cost_s, measured_s + event.seconds)

    def scale(self, group: str) -> float:
        """Measured over estimated seconds of a group's finished tasks; of all tasks while the group has none."""
        pairs = [self.measured[group]] if group in self.measured else list(self.measured.values())
        estimated_s, measured_s = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        return (measured_s + _SCALE_PRIOR) / (estimated_s + _SCALE_PRIOR)

    def remaining_s(self, *, now_s: float) -> float:
        """Seconds until all is done: the longest chain, or the sum over the workers, whichever is more."""
        left = {task_id: self._left_s(task, now_s) for task_id, task in self.tasks.items() if task_id not in self.ended}
        if not left:
            return 0.0
        rest = [_with_cost(self.tasks[task_id], seconds, left.keys()) for task_id, seconds in left.items()]
        return max(*priorities(rest).values(), sum(left.values()) / self.workers)

    def fraction(self, *, now_s: float) -> float:
        """Share of all work that is done, in [0, 1], by corrected estimates."""
        left_s = sum(self._left_s(t, now_s) for t in self.tasks.values() if t.id not in self.ended)
        total_s = sum(task.cost_s * self.scale(task.group) for task in self.tasks.values())
        return 1.0 - min(1.0, left_s / total_s) if total_s > 0 else 1.0

    def _left_s(self, task: Task, now_s: float) -> float:
        estimated_s = task.cost_s * self.scale(task.group)
        if task.id not in self.running:
            return estimated_s
        started_s, fraction = self.running[task.id]
        elapsed_s = now_s - started_s
        if fraction > 0.02:  # below that, start-up time says more than speed
            return elapsed_s / fraction * (1.0 - fraction)
        return max(0.05 * estimated_s, estimated_s - elapsed_s)


class Progress:
    """Shows an Estimate while the graph runs."""

    def __init__(self, tasks: Sequence[Task], *, workers: int, stream: TextIO | None = None) -> None:
        self._estimate = Estimate(tasks, workers=workers)
        self._stream = stream or sys.stderr
        self._last_shown_s = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if tasks and self._stream.isatty():
            self._bar = tqdm(total=100, file=self._stream, bar_format="{percentage:3.0f}% |{bar:24}| {desc}")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_event(self, event: Event) -> None:
        """For run_graph."""
        now_s = time.monotonic()
        self._estimate.update(event, now_s=now_s)
        if event.kind in ("failed", "retried"):
            self._write(f"{event.kind}: {event.task.group} {event.task.id}: {event.error}")
        if now_s - self._last_shown_s >= (_LINE_EVERY_S if self._bar is None else _BAR_EVERY_S):
            self._last_shown_s = now_s
            self._show(now_s)

    def text(self, *, now_s: float) -> str:
        """One line: stages done, time left, and what is running."""
        estimate = self._estimate
        running = ", ".join(f"{task_id} {fraction:.0%}" for task_id, (_, fraction) in estimate.running.items())
        counts = f"{len(estimate.ended)} of {len(estimate.tasks)} stages"
        return f"{counts} | {format_seconds(estimate.remaining_s(now_s=now_s))} left | {running or 'waiting'}"

    def _show(self, now_s: float) -> None:
        fraction = self._estimate.fraction(now_s=now_s)
        if self._bar is None:
            self._write(f"{fraction:4.0%} | {self.text(now_s=now_s)}")
        else:
            self._bar.n = round(100 * fraction)
            self._bar.set_description_str(self.text(now_s=now_s))

    def _write(self, line: str) -> None:
        if self._bar is not None:
            self._bar.write(line, file=self._stream)
        else:
            print(line, file=self._stream, flush=True)


def format_seconds(seconds: float) -> str:
    """'8 s', '1 min 52 s', '3 h 05 min'."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _with_cost(task: Task, cost_s: float, left: object) -> Task:
    kept = tuple(dep for dep in task.deps if dep in left)  # type: ignore[operator]
    return Task(task.id, kept, task.function, None, cost_s=cost_s)
