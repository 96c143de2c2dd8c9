"""A W&B server on loopback, for tests and measurements: `openwandb` in an environment of its own, never a dependency.

    python -m venv DIR && DIR/bin/pip install openwandb
    RFT_OPENWANDB=DIR/bin/openwandb python -m pytest -m "slow or not slow" tests/infra/test_wandb_server.py

    server = Server("DIR/bin/openwandb", folder)
    os.environ |= server.variables
    server.pairs(run_id)               # [(1, 2.31), (2, 2.27), ...]: every point of a training that it was sent, also twice
    server.stop()

It keeps every point it is sent, also those sent twice, and does not resume runs: what such tests look at is the mirror's own
count of what was sent.
"""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

KEY = "local" + "0" * 40
STARTS_WITHIN_S = 180.0  # on a busy machine


class Server:
    """One that can be stopped and started again."""

    def __init__(self, command: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command, self.folder = command, folder
        self.start()

    @property
    def variables(self) -> dict[str, str]:
        """By which the client finds it."""
        return {"WANDB_BASE_URL": f"http://127.0.0.1:{self.port}", "WANDB_API_KEY": KEY}

    def start(self) -> None:
        """Serves once it returns. Raises RuntimeError where it does not."""
        place = ["--host", "127.0.0.1", "--port", str(self.port), "--data-dir", str(self.folder)]
        self.process = subprocess.Popen(
            [self.command, "serve", *place], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until_s = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until_s:
            try:
                self._ask_who()
                return
            except OSError:
                time.sleep(0.5)
        raise RuntimeError("the server does not start")

    def _ask_who(self) -> None:
        """The first question that a client asks, which takes the server longer than any other."""
        headers = {"Content-Type": "application/json"}
        asked = urllib.request.Request(
            f"{self.variables['WANDB_BASE_URL']}/graphql", b'{"query": "{ viewer { id entity } }"}', headers
        )
        urllib.request.urlopen(asked, timeout=STARTS_WITHIN_S).close()

    def stop(self) -> None:
        """At once, as a crash would."""
        self.process.kill()
        self.process.wait()

    def _asked(self, question: str, *values: str) -> list[tuple[Any, ...]]:
        place = f"file:{self.folder / 'openwandb.db'}?mode=ro"
        with closing(sqlite3.connect(place, timeout=30, uri=True)) as base:  # open no longer than for the question
            return base.execute(question, values).fetchall()

    def steps(self, run_id: str) -> list[int]:
        """W&B steps of a training's points, in their order."""
        asked = "select step from metrics where run_id = ? and key = 'train/loss' order by step"
        return [step for (step,) in self._asked(asked, run_id)]

    def values(self, run_id: str, key: str) -> list[float]:
        """Of one metric."""
        return [
            value for (value,) in self._asked("select value from metrics where run_id = ? and key = ?", run_id, key)
        ]

    def pairs(self, run_id: str) -> list[tuple[int, float]]:
        """(train/step, train/loss) of a training's points, in order."""
        asked = "select key, step, value from metrics where run_id = ? and key in ('train/step', 'train/loss')"
        found: dict[str, list[tuple[int, float]]] = {"train/step": [], "train/loss": []}
        for key, place, value in sorted(self._asked(asked, run_id)):
            found[key].append((place, value))
        steps, losses = found["train/step"], found["train/loss"]
        if [place for place, _ in steps] != [place for place, _ in losses]:
            return []  # a point is half written
        return [(int(step), loss) for (_, step), (_, loss) in zip(steps, losses, strict=True)]

    def count(self) -> int:
        """Points of all runs and metrics."""
        return int(self._asked("select count(*) from metrics")[0][0])


def client_environment(folder: Path) -> dict[str, str]:
    """Variables that keep the client's own files in a folder."""
    return {name: str(folder) for name in ("WANDB_DIR", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR")}
