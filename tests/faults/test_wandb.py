"""A W&B server that accepts connections and never answers: a study waits for it for a bounded time, and no process stays."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.sweeps import MARK, processes

from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.tracking import Mirror, RunPlan, TrackingSettings

FINISH_S, LINGER_S, SLACK_S = 1.0, 3.0, 20.0
FILE = "finetune-0123456789abcdef.jsonl"


@pytest.fixture
def silent_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    listener, open_ones = socket.create_server(("127.0.0.1", 0)), []

    def accept() -> None:
        while True:
            try:
                open_ones.append(listener.accept())
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("WANDB_API_KEY", "local" + "0" * 40)
    mark = secrets.token_hex(8)
    monkeypatch.setenv(MARK, mark)
    yield mark
    listener.close()
    for connection, _ in open_ones:
        connection.close()


def mirror(folder: Path) -> Mirror:
    settings = TrackingSettings("online", "p", None, (), "g", folder, finish_s=FINISH_S, linger_s=LINGER_S)
    return Mirror(settings, [RunPlan("a", "a", "finetune", {}, (FILE,))])


def left(mark: str) -> list[int]:
    return [pid for pid in processes(mark) if pid != os.getpid()]


def wait_until_gone(mark: str, *, within_s: float) -> None:
    until_s = time.monotonic() + within_s
    while left(mark) and time.monotonic() < until_s:
        time.sleep(0.1)
    assert left(mark) == []


def test_a_silent_server_delays_the_end_by_a_bounded_time(tmp_path: Path, silent_server: str):
    with mirror(tmp_path):
        write = Appender(tmp_path / LIVE_FOLDER / FILE)
        for step in range(3):
            write({"step": step, "loss_nats": 1.0})
        ended_s = time.monotonic()
    assert time.monotonic() - ended_s < FINISH_S + 1.0
    wait_until_gone(silent_server, within_s=LINGER_S + SLACK_S)


def test_a_stopped_run_waits_for_nothing(tmp_path: Path, silent_server: str):
    started_s = 0.0
    with pytest.raises(KeyboardInterrupt), mirror(tmp_path):  # noqa: PT012 (the block is the run)
        time.sleep(1.0)
        started_s = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - started_s < 2.0
    wait_until_gone(silent_server, within_s=1.0)
