"""Who runs a sweep, and how it is asked to stop: two small files in the study's folder `live`, for any shell of any node.

with Driver.at_work(study, engine="SLURM jobs") as driver:
    driver.heed()                    # now and then; KeyboardInterrupt once `rft stop` has asked
said = read(study)                   # Driven(engine="SLURM jobs", owner=Owner(...), ended=None, ...)
ask_to_stop(study, said, wait_s=10)
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rft.infra.live import LIVE_FOLDER
from rft.infra.owners import Owner
from rft.records import write_json
from rft.whole import refuse_linked, write_text

DRIVER_FILE, STOP_FILE = "driver.json", "stop"
HEED_EVERY_S = 1.0
TOKEN = re.compile(r"[0-9a-f]{8}")  # as secrets.token_hex makes it; what a file says else is no sweep's
SILENT_S = 60.0  # after which a driver on another machine counts as gone: it says something every few seconds


@dataclass(frozen=True)
class Driven:
    """A sweep as its file tells of it."""

    token: str
    engine: str  # what runs its stages
    owner: Owner  # its process
    started: float  # seconds since the epoch
    ended: float | None = None
    how: str | None = None  # it ended: complete, stopped, or the exception's name


class Driver:
    """The process that runs a sweep."""

    def __init__(self, study: Path, engine: str) -> None:
        self.folder = study / LIVE_FOLDER
        self.said = Driven(secrets.token_hex(4), engine, Owner.this(), time.time())
        self._next_s = 0.0

    @classmethod
    @contextmanager
    def at_work(cls, study: Path, *, engine: str) -> Iterator[Driver]:
        """From the sweep's start to its end, however it ends."""
        driver = cls(study, engine)
        driver._write(driver.said)
        how = "complete"
        try:
            yield driver
        except KeyboardInterrupt:
            how = "stopped"
            raise
        except BaseException as error:
            how = type(error).__name__
            raise
        finally:
            driver._end(how)

    def heed(self) -> None:
        """Raise KeyboardInterrupt if this very sweep has been asked to stop."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + HEED_EVERY_S
        with suppress(OSError):
            os.utime(self.folder / DRIVER_FILE)  # a sign of life for other machines
        with suppress(OSError):
            if (self.folder / STOP_FILE).read_text(encoding="utf-8").strip() == self.said.token:
                raise KeyboardInterrupt("stopped by rft stop")

    def _end(self, how: str) -> None:
        """Say so, unless another sweep into the study has begun meanwhile."""
        last = read(self.folder.parent)
        if last is None or last.token == self.said.token:
            self._write(replace(self.said, ended=time.time(), how=how))

    def _write(self, said: Driven) -> None:
        """A disk that is full does not end a sweep; then nobody elsewhere learns of it."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / DRIVER_FILE, asdict(said))


def read(study: Path) -> Driven | None:
    """The study's last sweep; None where none was begun."""
    try:
        row = json.loads((study / LIVE_FOLDER / DRIVER_FILE).read_text(encoding="utf-8"))
        said = Driven(**{**row, "owner": Owner(**row["owner"])})
        return said if TOKEN.fullmatch(said.token) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def is_alive(study: Path, said: Driven) -> bool:
    """Whether its process runs: asked of this machine's processes, of another machine by what it last said."""
    if said.ended is not None:
        return False
    if said.owner.is_here:
        return not said.owner.gone()
    with suppress(OSError):
        return time.time() - (study / LIVE_FOLDER / DRIVER_FILE).stat().st_mtime < SILENT_S
    return time.time() - said.started < SILENT_S


def ask_to_stop(study: Path, said: Driven, *, wait_s: float) -> Driven:
    """Ask, and wait for the end; returns what is known then. Raises ValueError where the file would lie elsewhere."""
    refuse_linked(study / LIVE_FOLDER, inside=study)
    write_text(study / LIVE_FOLDER / STOP_FILE, said.token)
    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        now = read(study)
        if now is not None and (now.token != said.token or now.ended is not None):
            return now
        if not is_alive(study, said):
            return said
        time.sleep(0.2)
    return said
