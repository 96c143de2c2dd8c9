"""What a stage says while it runs: lines of a local file, which `rft status` and the W&B mirror follow.

    with live_log(folder, kind="finetune", key="5f0c4a1e", label="finetune nano-s sft") as log:
        log({"step": 12, "loss_nats": 1.93})            # one line of folder/finetune-5f0c4a1e.jsonl, at once
    tail = Tail(folder / "finetune-5f0c4a1e.jsonl")
    tail.fresh()                                         # the lines that came since the last call

Lines:
    {"time": 1764302400.1, "event": "start", "pid": 4711, "host": "gpu1", "label": "finetune nano-s sft"}
    {"time": 1764302401.3, "step": 12, "loss_nats": 1.93, "lr": 0.003, "target_tokens": 9120, "elapsed_s": 1.2}
    {"time": 1764302409.0, "event": "done", "seconds": 8.9}

A file is only ever appended to: a stage that starts anew begins with another `start`, and its readers see what repeats. It is
for looking at. Nothing is computed from it, and where it cannot be written (a full disk) the stage goes on without.
"""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rft.infra.masking import mask_text

LIVE_FOLDER = "live"  # below the study's folder
SLURM_FOLDER = ".slurm"  # beside it: jobs that were submitted (rft.infra.cluster.register)
SWEEP_FILE = "sweep.jsonl"  # in it: the sweep itself

Log = Callable[[Mapping[str, Any]], None]
Row = dict[str, Any]


def live_name(kind: str, key: str) -> str:
    """The file of a stage."""
    return f"{kind}-{key}.jsonl"


class Appender:
    """Appends lines; from the first that cannot be written on, none."""

    def __init__(self, path: Path) -> None:
        self._fd = -1
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)

    def __call__(self, row: Mapping[str, Any]) -> None:
        """One line, with the time."""
        if self._fd < 0:
            return
        finite = {name: value for name, value in row.items() if not isinstance(value, float) or math.isfinite(value)}
        line = json.dumps({"time": round(time.time(), 3), **finite}, ensure_ascii=False)
        try:
            os.write(self._fd, line.encode() + b"\n")
        except OSError:
            self.close()

    def close(self) -> None:
        """No more lines."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


@contextmanager
def live_log(folder: Path | None, *, kind: str, key: str, label: str) -> Iterator[Log | None]:
    """The log of one stage from its start to its end, and how it ended; None without a folder."""
    if folder is None:
        yield None
        return
    log, started = Appender(folder / live_name(kind, key)), time.monotonic()
    log({"event": "start", "pid": os.getpid(), "host": socket.gethostname(), "label": label})
    try:
        yield log
    except BaseException as error:
        log({"event": "failed", "error": mask_text(f"{type(error).__name__}: {error}"), "seconds": _since(started)})
        raise
    else:
        log({"event": "done", "seconds": _since(started)})
    finally:
        log.close()


class Tail:
    """Follows a file that is appended to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._at = 0

    def fresh(self) -> list[Row]:
        """The whole lines that came since the last call; a line that is no row is left out."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._at)
                content = file.read()
        except OSError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._at += len(whole)
        return list(_rows(whole))


def _rows(content: bytes) -> Iterator[Row]:
    for line in content.splitlines():
        with suppress(ValueError):
            row = json.loads(line)
            if isinstance(row, dict):
                yield row


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)
