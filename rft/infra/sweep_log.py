"""What a sweep says while it runs, a line every few seconds of `live/sweep.jsonl`: see rft.infra.live for what follows it.

    log = SweepLog(folder, estimate=estimate, others=(11, 1), uses_gpu=True, devices_of=lambda task: 1)
    run_graph(tasks, ..., on_event=log.on_event)

Lines:
    {"time": ..., "sweep/cells_done": 12, "sweep/cells_missing": 1, "sweep/stages_done": 40, "sweep/stages_running": 2,
     "sweep/remaining_s": 93.0, "sweep/done_frac": 0.61, "cost/device_hours": 1.9}
    {"time": ..., "event": "alert", "title": "finetune nano-s sft failed", "text": "TrainingDivergedError: the loss ..."}
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from rft.infra.graph import Event, Task
from rft.infra.live import LIVE_FOLDER, SWEEP_FILE, Appender, Tail
from rft.infra.masking import mask_text
from rft.infra.remaining import Estimate

EVERY_S = 5.0
SHARE = 0.02  # most of the run time that an estimate over many tasks may take
DIVERGED = "TrainingDivergedError"


class SweepLog:
    """See the module."""

    def __init__(
        self,
        study: Path,
        *,
        estimate: Estimate,
        others: tuple[int, int],
        uses_gpu: bool,
        devices_of: Callable[[Task], int],
    ) -> None:
        path = study / LIVE_FOLDER / SWEEP_FILE
        self._estimate = estimate
        self._done, self._missing = others  # cells of the study that no task here is of: with and without a record
        self._hours = "cost/gpu_hours" if uses_gpu else "cost/device_hours"
        told = [row[self._hours] for row in Tail(path).fresh() if self._hours in row]
        self._device_s, self._devices_of = 3600 * told[-1] if told else 0.0, devices_of  # of all sweeps into the study
        self._write = Appender(path)
        self._told: set[str | None] = set()
        self._next_s = 0.0

    def on_event(self, event: Event) -> None:
        """For run_graph, after the estimate has seen it."""
        is_cell = event.task.group == "record"
        self._done += is_cell and event.kind == "done"
        self._missing += is_cell and event.kind in ("failed", "skipped")
        self._device_s += event.seconds * self._devices_of(event.task)
        if event.kind == "failed" and event.error not in self._told:  # a fault that many tasks meet is told once
            self._told.add(event.error)
            end = "diverged" if DIVERGED in str(event.error) else "failed"
            self._write({"event": "alert", "title": f"{event.task.id} {end}", "text": mask_text(str(event.error))})
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._say(now_s)
            self._next_s = now_s + max(EVERY_S, (time.monotonic() - now_s) / SHARE)

    def close(self) -> None:
        """The last line."""
        self._say(time.monotonic())
        self._write.close()

    def _say(self, now_s: float) -> None:
        estimate = self._estimate
        stages = [name for name, task in estimate.tasks.items() if task.group != "record"]
        self._write(
            {
                "sweep/cells_done": self._done,
                "sweep/cells_missing": self._missing,
                "sweep/stages_done": sum(name in estimate.ended for name in stages),
                "sweep/stages_all": len(stages),
                "sweep/stages_running": len(estimate.running),
                "sweep/remaining_s": round(estimate.remaining_s(now_s=now_s), 1),
                "sweep/done_frac": round(estimate.fraction(now_s=now_s), 4),
                self._hours: round(self._device_s / 3600, 6),
            }
        )
