"""The W&B mirror of a sweep: a process beside the computing that follows local files and tells W&B.

    settings = TrackingSettings(mode="offline", project="rft", entity=None, tags=("quickstart",),
                                group="quickstart-20261122-211500", folder=study_folder)
    runs = [RunPlan(run_id=stable_run_id("quickstart", key), name="finetune nano-s sft", job_type="finetune",
                    config={"k": 4}, files=(f"finetune-{key}.jsonl",))]
    with Mirror(settings, runs):                  # starts the process and goes on at once
        ...                                       # the sweep; stages append to study_folder/live/*.jsonl
    # waits for the process, at most settings.finish_s; what takes longer goes on without us, at most settings.linger_s

It never changes, slows or stops anything: nothing of the computing waits for it, and all that it shows lies on disk already.
Where the server cannot be reached (no network, a wrong key), runs are kept offline, for `wandb sync`; when it can be
reached again, they are sent from the local files. A point's W&B step is its number in these files, so that a mirror that is
started again goes on where the last one ended.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rft.infra.digest import digest
from rft.infra.masking import PRIVATE
from rft.records import read_json
from rft.whole import write_text

log = logging.getLogger(__name__)

MODES = ("offline", "online", "disabled")
STATE_FOLDER = "wandb/.mirrored"  # below the study's folder: how far each run has come
STATUS_FILE = "status.json"  # in it: what the last mirror has to say
LOG_FILE = "wandb/mirror.log"
STOPPED_S = 0.5  # that a stopped run gives the process to end
_START = "import sys; sys.path[:] = sys.argv[3:]; from rft.infra.wandb_process import main; main()"


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are mirrored to."""

    mode: str  # offline | online | disabled
    project: str
    entity: str | None
    tags: tuple[str, ...]
    group: str  # fixed once per multirun
    folder: Path  # the study's folder: wandb's own files go to its sub-folder 'wandb'
    finish_s: float = 20.0  # the end of a study waits for the mirror no longer than this
    linger_s: float = 600.0  # from then on the mirror ends by itself within this
    max_samples: int = 32  # rows of a cell's table of solutions
    figures: bool = False  # drawn at the end, as images of the sweep's run
    workspace: bool = False  # online: build the prepared workspace


@dataclass(frozen=True)
class RunPlan:
    """One run of W&B and the local files that it shows."""

    run_id: str
    name: str
    job_type: str  # pretrain, finetune, ... | sample | evaluate | cell | sweep
    config: Mapping[str, Any]
    files: tuple[str, ...] = ()  # below the study's live folder
    curve: Path | None = None  # a finished curve in the store, for what was not computed here
    cell: Path | None = None  # the folder of a cell's record
    links: Mapping[str, str] = field(default_factory=dict)  # what it rests on: run ids


def stable_run_id(study: str, cell_id: str) -> str:
    """The W&B run id of a cell (or shared stage): the same whenever and wherever it runs again."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", cell_id)[:80]
    return f"{readable}-{digest([study, cell_id])[:8]}"


class Mirror:
    """The process that tells W&B, from its start to the end of the sweep. Raises nothing for trouble with W&B."""

    def __init__(self, settings: TrackingSettings, runs: Sequence[RunPlan]) -> None:
        if settings.mode not in MODES:
            raise ValueError(f"tracking.mode is {settings.mode!r}, allowed are {', '.join(MODES)}")
        self._settings = settings
        self._runs = tuple(runs)
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._sender: threading.Thread | None = None
        self._temporary = ""  # a folder for the process alone, which removes it at its end

    def __enter__(self) -> Mirror:
        if self._settings.mode != "disabled":
            try:
                self._start()
            except OSError as error:
                log.warning("W&B mirror failed: %s; results are not affected", error)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._abandon()
        self.close()

    def _abandon(self) -> None:
        """When a run is stopped: the process ends now, and what it has not told, the next one tells."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOPPED_S)

    def close(self) -> None:
        """Tell the process that all is written, and wait for it, but not for long."""
        if self._process is None:
            return
        started_s = time.monotonic()
        if self._sender is not None:
            self._sender.join(self._settings.finish_s)  # a short sweep ends before the process has read what it is for
        if self._pipe is not None:
            self._pipe.close()
        try:
            self._process.wait(max(0.0, self._settings.finish_s - (time.monotonic() - started_s)))
            shutil.rmtree(self._temporary, ignore_errors=True)  # where it did not come to that itself
        except subprocess.TimeoutExpired:
            log.info(
                f"W&B is still being told, which goes on by itself (process {self._process.pid}, at most "
                f"{self._settings.linger_s:g} s): results are complete"
            )
            self._process.returncode = 0  # it outlives us on purpose
        self._process = self._pipe = None
        self._warn()

    def _warn(self) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            status = read_json(self._settings.folder / STATE_FOLDER / STATUS_FILE)
            if status["trouble"]:
                log.warning("W&B mirror: %s; results are not affected", status["trouble"])

    def _start(self) -> None:
        folder = self._settings.folder.absolute()
        (folder / LOG_FILE).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / STATE_FOLDER / STATUS_FILE).unlink(missing_ok=True)
        # wandb removes its temporary files at an orderly exit alone; short, as its sockets lie in it
        self._temporary = tempfile.mkdtemp(prefix="rft-wandb-")
        pipe, theirs = Pipe()
        with open(
            folder / LOG_FILE, "ab", opener=lambda path, flags: os.open(path, flags | os.O_NOFOLLOW, PRIVATE)
        ) as said:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), self._temporary, *sys.path],
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **wandb_environment(folder, is_online=self._settings.mode == "online")},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,  # Ctrl-C is for the sweep; and wandb's service process can be killed with it
            )
        theirs.close()
        self._pipe = pipe
        self._sender = threading.Thread(target=self._send, args=(pipe,), daemon=True)  # it may be slow to take it
        self._sender.start()

    def _send(self, pipe: Connection) -> None:
        with suppress(OSError, ValueError):
            pipe.send((self._settings, self._runs))


def wandb_environment(folder: Path, *, is_online: bool) -> dict[str, str]:
    """Variables that keep wandb's files inside the study's folder, and wandb quiet. Online, `wandb login` counts."""
    inner = str(folder / "wandb" / "cache")
    return {
        **({} if is_online else {"WANDB_CONFIG_DIR": inner}),
        "WANDB_DIR": str(folder),
        "WANDB_DATA_DIR": inner,
        "WANDB_CACHE_DIR": inner,
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB__SERVICE_WAIT": "20",
        "OMP_NUM_THREADS": "1",
    }


@dataclass
class Sent:
    """How far a run has come, kept on disk."""

    path: Path
    rows: int = 0
    finished: bool = False
    where: str = ""  # 'offline', or server and project
    digest: str = ""  # of the record that was told, of a cell

    @classmethod
    def of(cls, folder: Path, run_id: str) -> Sent:
        """What is known of a run."""
        path = folder / STATE_FOLDER / f"{run_id}.json"
        with suppress(OSError, ValueError, TypeError):
            return cls(path, **json.loads(path.read_text(encoding="utf-8")))
        return cls(path)

    def write(self) -> None:
        """Keep it. A disk that takes no more only means that a run is told again."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.path, json.dumps({name: value for name, value in vars(self).items() if name != "path"}))
