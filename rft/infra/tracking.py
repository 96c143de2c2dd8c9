"""The W&B mirror: finished cells and stages shown in Weights & Biases, offline unless asked otherwise.

    settings = TrackingSettings(mode="offline", project="rft", entity=None, tags=("quickstart",),
                                group="quickstart-20261122-211500", folder=study_folder)
    with Mirror(settings) as mirror:                                     # one helper process for many runs
        status = mirror.run(run_id=stable_run_id("quickstart", cell_id), name=cell_id, job_type="cell",
                            config={"k": 4}, history=[{"step": 1, "loss_nats": 2.1}], summary={"maj1@1": 0.41},
                            table=(["question", "text", "outcome"], [["Ann ...", "3*17=...", "correct"]]))
    status       # 'offline: wandb/offline-run-20261122_211734-nano-s_sft_f1_s0-1a2b3c4d'

It is a mirror of what lies on disk already, and never changes or stops anything: wandb lives in a process of its own
that is killed when it takes too long, and whatever goes wrong there comes back as a status that starts with "failed:",
logged once. A run mirrored again replaces its earlier offline copy.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rft.infra.digest import digest

log = logging.getLogger(__name__)

MODES = ("offline", "online", "disabled")
Table = tuple[Sequence[str], Sequence[Sequence[Any]]]  # column names, rows
_START = "import sys; sys.path[:] = sys.argv[2:]; from rft.infra.wandb_process import main; main()"
_STOP_S = 10.0  # for wandb to end in peace


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are mirrored to."""

    mode: str  # offline | online | disabled
    project: str
    entity: str | None
    tags: tuple[str, ...]
    group: str  # fixed once per multirun
    folder: Path  # the study's folder: wandb's own files go to its sub-folder 'wandb'
    timeout_s: float = 60.0  # for one run; a mirror that hangs longer is given up


def stable_run_id(study: str, cell_id: str) -> str:
    """The W&B run id of a cell (or shared stage): the same whenever and wherever it runs again."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", cell_id)[:80]
    return f"{readable}-{digest([study, cell_id])[:8]}"


class Mirror:
    """A helper process that talks to wandb; started by the first run, ended by close()."""

    def __init__(self, settings: TrackingSettings) -> None:
        if settings.mode not in MODES:
            raise ValueError(f"tracking.mode is {settings.mode!r}, allowed are {', '.join(MODES)}")
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._given_up: str | None = None
        self._logged: set[str] = set()

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(
        self,
        *,
        run_id: str,
        name: str,
        job_type: str,
        config: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        summary: Mapping[str, Any],
        table: Table | None = None,
    ) -> str:
        """Mirror one run in full; returns 'offline: <folder>', 'online: <address>', 'disabled' or 'failed: <reason>'.

        Rows of `history` become points in their order; a 'step' in them is the x axis. Raises nothing.
        """
        if self._settings.mode == "disabled":
            return "disabled"
        if self._given_up is not None:
            return self._given_up
        fields = {"run_id": run_id, "name": name, "job_type": job_type, "config": config}
        try:
            status = self._ask({**fields, "history": history, "summary": summary, "table": table})
        except Exception as error:
            status = self._given_up = f"failed: {type(error).__name__}: {error}"
            self._kill()
        if status.startswith("failed:") and status not in self._logged:
            self._logged.add(status)
            log.warning("W&B mirror %s; results are not affected", status)
        return status

    def close(self) -> None:
        """End the helper process, in peace if it can."""
        if self._process is None:
            return
        if self._pipe is not None:
            self._pipe.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._kill()
        self._process = self._pipe = None

    def _ask(self, request: Mapping[str, Any]) -> str:
        pipe = self._pipe or self._start()
        pipe.send(request)
        if not pipe.poll(self._settings.timeout_s):
            raise TimeoutError(f"no answer within {self._settings.timeout_s:g} s, given up for the rest")
        try:
            return str(pipe.recv())
        except EOFError:
            raise ChildProcessError("its process ended by itself") from None

    def _start(self) -> Connection:
        folder = self._settings.folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        pipe, theirs = Pipe()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
            pass_fds=(theirs.fileno(),),
            env={**os.environ, **_wandb_environment(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that wandb's own service process can be killed with it
        )
        theirs.close()
        self._pipe = pipe
        pipe.send(self._settings)
        return pipe

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def mirror_run(
    settings: TrackingSettings,
    *,
    run_id: str,
    name: str,
    job_type: str,
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
    table: Table | None = None,
) -> str:
    """Mirror a single run through a helper process of its own (about a second; use Mirror for many). Raises nothing."""
    with Mirror(settings) as mirror:
        return mirror.run(
            run_id=run_id, name=name, job_type=job_type, config=config, history=history, summary=summary, table=table
        )


def _wandb_environment(folder: Path) -> dict[str, str]:
    inner = str(folder / "wandb" / "cache")
    return {
        "WANDB_DIR": str(folder),
        "WANDB_DATA_DIR": inner,
        "WANDB_CACHE_DIR": inner,
        "WANDB_CONFIG_DIR": inner,
        "WANDB_SILENT": "true",
        "WANDB_ERROR_REPORTING": "false",
        "WANDB__SERVICE_WAIT": "20",
    }
