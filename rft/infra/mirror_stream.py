"""The points of one run, read from its local files as they grow, and what they say of its progress.

stream = Stream(plan, folder=study_folder)
stream.read()                    # the points that came since the last call
stream.has_ended, stream.failed, stream.source
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rft.infra.live import LIVE_FOLDER, Row, Tail
from rft.infra.live_metrics import follower
from rft.infra.tracking import RunPlan
from rft.infra.wandb_runs import Point, Source
from rft.records import read_jsonl


class Stream:
    """See the module."""

    def __init__(self, plan: RunPlan, *, folder: Path) -> None:
        self.plan = plan
        self.num_points = 0
        self.failed = False
        self.first_s: float | None = None
        self.last_s = 0.0
        self.gpu_s = 0.0
        self._tails = [Tail(folder / LIVE_FOLDER / name) for name in plan.files]
        self._ended: set[str] = set()
        self._pid: int | None = None
        self._follow = follower(plan.job_type)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come, as far as the files tell."""
        return len(self._ended) == len(self._tails)

    @property
    def lasted_s(self) -> float:
        """From the first line to the last."""
        return self.last_s - (self.first_s or self.last_s)

    @property
    def source(self) -> Source:
        """The process that writes the files: the latest, where it is one of this machine."""
        return Source(self.first_s, self._pid)

    def read(self) -> list[Point]:
        """What came since the last call."""
        return [point for tail in self._tails for row in tail.fresh() for point in self._points(tail.path.name, row)]

    def read_curve(self) -> list[Point]:
        """The points of a curve that was finished elsewhere, where no file here has any; once."""
        if self.num_points or self.plan.curve is None or not self.plan.curve.is_file():
            return []
        rows = list(_timed(self.plan.curve))
        self._ended = {tail.path.name for tail in self._tails}
        return [point for row in rows for point in self._points(self.plan.curve.name, row)]

    def _points(self, name: str, row: Row) -> Iterator[Point]:
        if not isinstance(row.get("time"), int | float):
            return
        self.first_s, self.last_s = self.first_s or row["time"], row["time"]
        values = self._follow.metrics(name, row)
        if "event" in row:
            yield from self._take(name, row)
            return
        if values is not None:
            yield self._numbered(values)

    def _take(self, name: str, row: Row) -> Iterator[Point]:
        event = row["event"]
        if event == "start":
            self._ended.discard(name)
            self._pid = row.get("pid") if row.get("host") == socket.gethostname() else None
        elif event in ("done", "failed"):
            self._ended.add(name)
            self.failed = event == "failed"
        elif event == "alert":
            yield self._numbered({"_timestamp": row["time"]}, alert=(str(row["title"]), str(row["text"])))

    def _numbered(self, values: dict[str, Any], *, alert: tuple[str, str] | None = None) -> Point:
        self.num_points += 1
        return Point(self.num_points - 1, values, alert)


def _timed(curve: Path) -> Iterable[Row]:
    """Rows of a finished curve with the time of each, from its manifest: when it was finished, and how long it took."""
    rows = list(read_jsonl(curve))
    manifest = curve.with_name("manifest.json")
    created = json.loads(manifest.read_text(encoding="utf-8"))["created"] if manifest.is_file() else 0.0
    end_s = rows[-1]["elapsed_s"] if rows else 0.0
    return [{"time": created - end_s + row["elapsed_s"], **row} for row in rows]
