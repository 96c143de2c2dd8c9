"""What becomes of tasks that run elsewhere, as lines of files on the shared disk: one file for each job or worker.

    journal = Journal(folder / "job-12.jsonl")
    journal.note("started", "sft"); journal.note("done", "sft", seconds=8.1)
    Journals().fresh([folder / "job-12.jsonl"])    # [Note("started", "sft", ...), Note("done", "sft", seconds=8.1)]
    outcomes([folder / "job-12.jsonl"])  # {"sft": Note("done", "sft", seconds=8.1)}

A file is only ever appended to, by one process at a time. The driver of a sweep follows all of them; a job looks into those
of the jobs that it waits for; a driver that is started again finds there what happened meanwhile.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from rft.infra.graph import Event
from rft.infra.live import Appender, Row, Tail

ENDED = ("done", "failed", "skipped")
PROGRESS_EVERY_S = 5.0


@dataclass(frozen=True)
class Note:
    """One line."""

    kind: str  # started | progress | done | failed | skipped | retried | waiting, as rft.infra.graph.Event has them
    task: str
    fraction: float = 0.0
    seconds: float = 0.0
    error: str | None = None
    host: str = ""

    @property
    def is_end(self) -> bool:
        """Whether nothing more will come of the task, unless it is run again."""
        return self.kind in ENDED


class Journal:
    """Writes one file."""

    def __init__(self, path: Path) -> None:
        self._write = Appender(path)
        self._host = socket.gethostname()
        self._progress_s = 0.0

    def note(self, kind: str, task: str, **said: Any) -> None:
        """One line, at once; of progress not more than one every few seconds."""
        if kind == "progress":
            now_s = time.monotonic()
            if now_s - self._progress_s < PROGRESS_EVERY_S:
                return
            self._progress_s = now_s
        row = asdict(Note(kind, task, host=self._host, **said))
        self._write({name: value for name, value in row.items() if value or name in ("kind", "task")})

    def on_event(self, event: Event) -> None:
        """Of a graph that runs here."""
        if event.kind != "tick":
            said = {"fraction": event.fraction, "seconds": event.seconds, "error": event.error}
            self.note(event.kind, event.task.id, **said)

    def close(self) -> None:
        """No more lines."""
        self._write.close()


class Journals:
    """Follows files: those that it is told of each time, or all of a folder."""

    def __init__(self) -> None:
        self._tails: dict[Path, Tail] = {}

    def fresh(self, paths: Iterable[Path]) -> list[Note]:
        """The lines of these files that came since the last call, file by file; of none that is not there yet."""
        return [_note(row) for path in paths for row in self._tails.setdefault(path, Tail(path)).fresh()]


def journals_in(folder: Path) -> list[Path]:
    """The files of a folder, where nobody knows their names beforehand."""
    return sorted(folder.glob("*.jsonl"))


def outcomes(paths: Iterable[Path]) -> dict[str, Note]:
    """What became last of each task that has ended, by its id."""
    notes = (_note(row) for path in paths for row in Tail(path).fresh())
    return {note.task: note for note in notes if note.is_end}


_NAMES = {one.name for one in fields(Note)}


def _note(row: Row) -> Note:
    return Note(**{name: value for name, value in row.items() if name in _NAMES})
