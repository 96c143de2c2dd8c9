"""What a Ray worker does: one task, as rft.infra.worker does it, noting in a journal of its process how far it is.

    perform_there(call, task.payload)        # ("done", value, seconds), see rft.infra.worker.perform

The task's data goes through the store, and what comes back is a few words. Imported by workers, so nothing heavy stands here.
"""

from __future__ import annotations

import functools
import os
import pickle
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.infra.cluster.journal import Journal
from rft.infra.worker import perform


@dataclass(frozen=True)
class Call:
    """A task, and where it runs as if it ran on the sweep's machine."""

    task: str  # its id
    function: str
    journals: str  # folder on the shared disk
    cwd: str  # of the sweep: configurations may name files from there


def perform_there(call: Call, payload: bytes) -> tuple[Any, ...]:
    """Run the task in this process."""
    os.chdir(call.cwd)
    journal = _journal(call.journals)
    journal.note("started", call.task)
    outcome = perform(
        call.function, pickle.loads(payload), lambda share: journal.note("progress", call.task, fraction=share)
    )
    seconds = float(outcome[-1]) if outcome[0] in ("done", "failed") else 0.0
    error = str(outcome[1]) if outcome[0] == "failed" else None
    journal.note("waiting" if outcome[0] == "busy" else outcome[0], call.task, seconds=seconds, error=error)
    return ("done", None, seconds) if outcome[0] == "done" else outcome


@functools.cache
def _journal(folder: str) -> Journal:
    """One a process."""
    return Journal(Path(folder) / f"worker-{socket.gethostname()}-{os.getpid()}.jsonl")
