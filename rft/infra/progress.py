"""Progress of a graph of tasks and the time that remains: a bar on a terminal, a line every ten seconds elsewhere.

    with Progress(tasks, workers=2) as progress:
        results = run_graph(tasks, workers=2, threads=1, on_event=progress.on_event)

    41% | 17 of 38 stages | 1 min 52 s left | finetune sft-nano-s 62%, sample pool-nano-m-3 10%

The time left is estimated in rft.infra.remaining.

    >>> format_seconds(112)
    '1 min 52 s'
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from tqdm import tqdm

from rft.infra.graph import Event, Task
from rft.infra.remaining import Estimate

_LINE_EVERY_S = 10.0
_BAR_EVERY_S = 0.3
_SHARE = 0.05  # most of the run time that showing may take: one estimate over a hundred thousand tasks takes a second


class Progress:
    """Shows an Estimate while the graph runs."""

    def __init__(self, tasks: Sequence[Task], *, workers: int, stream: TextIO | None = None) -> None:
        self.estimate = Estimate(tasks, workers=workers)
        self._stream = stream or sys.stderr
        self._told: set[str | None] = set()  # faults that were shown: one that many tasks meet is told once
        self._bar: tqdm[Any] | None = None
        if tasks and self._stream.isatty():
            self._bar = tqdm(total=100, file=self._stream, bar_format="{percentage:3.0f}% |{bar:24}| {desc}")
        self._every_s = _LINE_EVERY_S if self._bar is None else _BAR_EVERY_S
        self._next_s = time.monotonic() + self._every_s

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_event(self, event: Event) -> None:
        """For run_graph."""
        now_s = time.monotonic()
        self.estimate.update(event, now_s=now_s)
        if event.kind == "retried" or (event.kind == "failed" and event.error not in self._told):
            self._told.add(event.error)
            self._write(f"{event.kind}: {event.task.group} {event.task.id}: {event.error}")
        if now_s >= self._next_s:
            self._show(now_s)
            took_s = time.monotonic() - now_s
            self._next_s = now_s + max(self._every_s, took_s / _SHARE)

    def text(self, *, now_s: float) -> str:
        """One line: stages done, time left, and what is running."""
        estimate = self.estimate
        running = ", ".join(f"{task_id} {fraction:.0%}" for task_id, (_, fraction) in estimate.running.items())
        counts = f"{len(estimate.ended)} of {len(estimate.tasks)} stages"
        return f"{counts} | {format_seconds(estimate.remaining_s(now_s=now_s))} left | {running or 'waiting'}"

    def _show(self, now_s: float) -> None:
        fraction = self.estimate.fraction(now_s=now_s)
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
