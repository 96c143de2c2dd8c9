"""A tiny sweep of every usual kind of stage, in processes of its own, to which faults can be done.

sweep = Sweep(tmp_path)
running = sweep.start()
kind = sweep.wait_for_stage(running)              # 'finetune': a stage that has begun and not ended
running.kill_all(); sweep.left_behind()           # locks, scratch, half-written files
sweep.finish(); sweep.essence()                   # what must equal an undisturbed run's
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composing import TINY

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "RFT_FAULTS_OF"  # a variable that all processes of one start have
WORDS = ("hydra/launcher=dag_local", "hydra.launcher.workers=1", "method=sft,rft", "k=2", "eval.vote_k=2")
PATIENCE_S = 300.0


def processes(mark: str) -> list[int]:
    """Of one start, by their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            alive = (place / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            if alive and f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


@dataclass
class Running:
    """One start of the sweep."""

    process: subprocess.Popen[str]
    mark: str

    def all(self) -> list[int]:
        """Its processes, the launcher among them."""
        return processes(self.mark)

    def workers(self) -> list[int]:
        """Those that compute."""
        named = {pid: Path(f"/proc/{pid}/cmdline") for pid in self.all()}
        return [pid for pid, path in named.items() if b"rft.infra.worker" in _bytes(path)]

    def signal(self, number: int, pids: list[int] | None = None) -> None:
        """To the launcher, or to those."""
        for pid in [self.process.pid] if pids is None else pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_all(self) -> None:
        """At once."""
        self.signal(signal.SIGKILL, self.all())
        self.process.communicate()

    def ended(self, within_s: float) -> tuple[float, str]:
        """Seconds that it took to end, and what it said. Raises TimeoutExpired."""
        started_s = time.monotonic()
        out, err = self.process.communicate(timeout=within_s)
        return time.monotonic() - started_s, out + err

    def orphans(self, within_s: float = 5.0) -> list[int]:
        """What still runs after the launcher has ended."""
        until_s = time.monotonic() + within_s
        while (left := self.all()) and time.monotonic() < until_s:
            time.sleep(0.05)
        return left


class Sweep:
    """One study folder and its store."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder, self.study, self.store = folder, folder / "s", folder / "store"
        self._words = words

    def start(self, **environment: str) -> Running:
        """The same command each time."""
        mark = secrets.token_hex(8)
        shared = (f"hydra.sweep.dir={self.study}", "study_name=s", f"store.root={self.store}")
        command = [sys.executable, "-m", "rft.run", "-m", *TINY, *shared, *WORDS, *self._words]
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "OMP_NUM_THREADS": "1", MARK: mark, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return Running(process, mark)

    def finish(self) -> str:
        """Run to the end; what it said."""
        running = self.start()
        _, said = running.ended(PATIENCE_S)
        assert running.process.returncode == 0, said
        return said

    def in_flight(self) -> list[str]:
        """Kinds of the stages that have begun and not ended, as their own logs say."""
        kinds = []
        for path in (self.study / "live").glob("*-*.jsonl"):
            rows = [row for line in _bytes(path).splitlines() if (row := _row(line))]
            marks = [row["event"] for row in rows if row.get("event") in ("start", "done", "failed")]
            if marks and marks[-1] == "start":
                kinds.append(path.name.rpartition("-")[0])
        return kinds

    def wait_for_stage(self, running: Running, kind: str | None = None) -> str | None:
        """The kind of a stage that is being computed (or of this kind), or None where the sweep ended before one was."""
        known = {path: path.stat().st_size for path in (self.study / "live").glob("*-*.jsonl")}
        until_s = time.monotonic() + PATIENCE_S
        while running.process.poll() is None and time.monotonic() < until_s:
            for path in (self.study / "live").glob(f"{kind or '*'}-*.jsonl"):
                if path.stat().st_size > known.get(path, 0):
                    return path.name.rpartition("-")[0]
            time.sleep(0.002)
        return None

    def left_behind(self) -> list[str]:
        """Locks, scratch and half-written files."""
        places = [*self.store.glob(".locks/*"), *self.store.glob(".scratch/*"), *self.folder.rglob(".*.tmp")]
        return sorted(str(path.relative_to(self.folder)) for path in places)

    def essence(self) -> dict[str, Any]:
        """Of every record all that the same inputs must give again, and the bytes of the files beside it."""
        found: dict[str, Any] = {}
        for path in sorted(self.study.glob("*/record.json")):
            record = json.loads(path.read_text())
            kept = ("cell_id", "cell_key", "names", "setting", "seeds", "model", "data", "scores", "rates", "files")
            beside = {
                name: (path.parent / name).read_bytes() for name in record["files"].values() if "curve" not in name
            }
            found[record["cell_id"]] = ({name: record[name] for name in kept}, beside)
        return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _row(line: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        return json.loads(line)  # type: ignore[no-any-return]
    return {}
