"""System metrics of a mirrored run are those of the process that computes, not of the mirror: read by wandb's own reader."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_tracking import PLAN, RUN_ID, settings
from wandb_offline import rows_of

from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.tracking import Mirror

HELD_MB = 700  # far more than the mirror or wandb's service hold
IDLE_THREADS = 23
WORKER = f"""
import threading, time
held = bytearray({HELD_MB} << 20)
held[::4096] = b"x" * len(held[::4096])  # every page is touched: resident
for _ in range({IDLE_THREADS}):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("ready", flush=True)
while True:
    sum(range(10000))
"""


@contextmanager
def worker() -> Iterator[int]:
    """The pid of a busy process of known memory and threads."""
    process = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def measured(folder: Path, *, pid: int, seconds: float) -> list[dict[str, float]]:
    """System metrics of a run whose live file says that `pid` computes: {"proc.memory.rssMB": 712.0, ...}."""
    log = Appender(folder / LIVE_FOLDER / PLAN.files[0])
    log({"event": "start", "pid": pid, "host": socket.gethostname()})
    log({"step": 1, "loss_nats": 1.0, "target_tokens": 10})
    with Mirror(settings(folder), (PLAN,)):
        time.sleep(seconds)
        log({"event": "done"})
        log.close()
    (run,) = (folder / "wandb").glob(f"offline-run-*-{RUN_ID}")
    return [record["stats"]["item"] for record in rows_of(run) if record["type"] == "stats"]


@pytest.mark.slow
def test_memory_threads_and_processor_time_are_the_workers(tmp_path: Path) -> None:
    with worker() as pid:
        rows = measured(tmp_path, pid=pid, seconds=35.0)
    assert rows
    for row in rows:
        assert HELD_MB < row["proc.memory.rssMB"] < HELD_MB + 100
        assert row["proc.cpu.threads"] == IDLE_THREADS + 1
    assert max(row.get("cpu", 0.0) for row in rows) > 0.0  # of the time between two looks: not in the first
