"""A tiny sweep of every usual kind of stage, in processes of its own, to which faults can be done.

sweep = Sweep(tmp_path)
running = sweep.start()
kind = sweep.wait_for_stage(running)              # 'finetune': a stage that has begun and not ended
kinds = sweep.freeze_in(running, "vote")          # ['vote']: all processes stand still while one is computed or stored
running.kill_all(); sweep.left_behind()           # locks, scratch, half-written files
sweep.finish(); sweep.essence()                   # what must equal an undisturbed run's
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from composing import TINY
from forked import Forked

REPOSITORY = Path(__file__).resolve().parents[2]
MARK = "RFT_FAULTS_OF"  # a variable that all processes of one start have
WORDS = ("hydra/launcher=dag_local", "hydra.launcher.workers=1", "method=sft,rft", "k=2", "eval.vote_k=2")
PATIENCE_S = 300.0
RECORD = "record"  # beside the kinds of stages: a cell's files are being written


def processes(mark: str) -> list[int]:
    """Of one start, by their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            alive = (place / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
            named = (place / "comm").read_text().strip() in (mark[:15], f"w{mark}"[:15])  # a forked one
            if alive and (named or f"{MARK}={mark}".encode() in (place / "environ").read_bytes().split(b"\0")):
                found.append(int(place.name))
    return found


@dataclass(frozen=True)
class Undisturbed:
    """What a run without faults ends with."""

    essence: dict[str, Any]  # of its records (see Sweep.essence)
    kinds: dict[str, int]  # its kinds of stages in the order in which they begin, and how many of each there are


@dataclass
class Running:
    """One start of the sweep."""

    process: subprocess.Popen[str] | Forked
    mark: str
    started_s: float

    def all(self) -> list[int]:
        """Its processes, the launcher among them."""
        return processes(self.mark)

    def workers(self) -> list[int]:
        """Those that compute."""
        named = {pid: Path(f"/proc/{pid}/cmdline") for pid in self.all()}
        forked = {pid for pid in named if _bytes(Path(f"/proc/{pid}/comm")).startswith(b"w" + self.mark[:8].encode())}
        return [pid for pid, path in named.items() if pid in forked or b"rft.infra.worker" in _bytes(path)]

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

    def __init__(self, folder: Path, *words: str, forked: bool = False) -> None:
        self.folder, self.study, self.store = folder, folder / "s", folder / "store"
        self._words, self._forked = words, forked

    def start(self, **environment: str) -> Running:
        """The same command each time."""
        mark, started_s = secrets.token_hex(8), time.time()
        shared = (f"hydra.sweep.dir={self.study}", "study_name=s", f"store.root={self.store}")
        command = ["-m", *TINY, *shared, *WORDS, *self._words]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", MARK: mark, **environment}
        if self._forked:
            return Running(Forked("-m", "rft.run", *command, mark=mark, env=environment), mark, started_s)
        process = subprocess.Popen(
            [sys.executable, "-m", "rft.run", *command],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return Running(process, mark, started_s)

    def finish(self, *, forked: bool = False) -> str:
        """Run to the end; what it said."""
        self._forked = self._forked or forked
        running = self.start()
        _, said = running.ended(PATIENCE_S)
        assert running.process.returncode == 0, said
        return said

    def kinds(self) -> dict[str, int]:
        """Of a finished sweep: how many stages of each kind, in the order in which the first of each began."""
        began = {}
        for path in (self.study / "live").glob("*-*.jsonl"):
            kind, start_s = path.name.rpartition("-")[0], _row(_bytes(path).splitlines()[0])["time"]
            began[kind] = min(start_s, began.get(kind, start_s))
        return {kind: self.num_finished(kind) for kind in sorted(began, key=began.__getitem__)}

    def num_finished(self, kind: str) -> int:
        """Stages of a kind that the store holds; of records, those that the study has."""
        places = self.study.glob("*/record.json") if kind == RECORD else (self.store / kind).glob("*/*/manifest.json")
        return len(list(places))

    def in_flight(self, running: Running, pids: Collection[int]) -> list[str]:
        """Kinds of the stages that these processes compute or store now, as the owners of the store's locks say; and whether
        the files of a cell are being written."""
        owned = {f"pid={pid}".encode() for pid in pids}
        locks = (self.store / ".locks").glob("*-*.lock")
        kinds = [path.name.rpartition("-")[0] for path in locks if owned & set(_bytes(path).splitlines())]
        begun = (path for path in self.study.glob("*/*outcomes*") if not (path.parent / "record.json").exists())
        return sorted([*kinds, *(RECORD for path in begun if _modified_s(path) >= running.started_s)])

    def freeze_at(self, running: Running, after_s: float) -> list[str] | None:
        """Stop all processes so long from now; the kinds that are then in flight, or None where the sweep has ended."""
        with suppress(subprocess.TimeoutExpired):
            running.process.wait(after_s)
            return None
        running.signal(signal.SIGSTOP, running.all())
        return self.in_flight(running, running.all())

    def freeze_in(self, running: Running, kind: str, *, most: int, later_s: float = 0.0) -> list[str] | None:
        """Stop all processes (SIGSTOP) while a stage of the kind is computed or stored, or so long after one was seen to be;
        the kinds that are then in flight. None where the sweep ended, or `most` of the kind were finished, before one was."""
        until_s, pids = time.monotonic() + PATIENCE_S, running.all()
        for turn in itertools.count():
            if running.process.poll() is not None or time.monotonic() > until_s:
                return None
            if kind in self.in_flight(running, pids):
                time.sleep(later_s)
                pids = running.all()
                running.signal(signal.SIGSTOP, pids)
                kinds = self.in_flight(running, pids)
                if kind in kinds or later_s:
                    return kinds
                running.signal(signal.SIGCONT, pids)
            if turn % 100 == 0:  # a look at all processes takes as long as a short stage
                if self.num_finished(kind) >= most:
                    return None
                pids = running.all()
            time.sleep(0.001)
        return None

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


def _modified_s(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _row(line: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        return json.loads(line)  # type: ignore[no-any-return]
    return {}
