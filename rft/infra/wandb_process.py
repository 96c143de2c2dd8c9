"""The one place that imports wandb: a helper process that writes the runs it is told to (see rft.infra.tracking).

    python -c "from rft.infra.wandb_process import main; main()" PIPE_FD        # rft.infra.tracking starts it like this

The first message is the TrackingSettings, then each message is one run, answered by its status text.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rft.infra.tracking import TrackingSettings


def main() -> None:
    """Serve until the pipe closes."""
    fd = int(sys.argv[1])
    os.set_inheritable(fd, False)
    pipe = Connection(fd)
    settings = pipe.recv()
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        pipe.send(_answer(settings, request))


def _answer(settings: TrackingSettings, request: Mapping[str, Any]) -> str:
    try:
        return _write_run(settings, request)
    except Exception as error:
        return f"failed: {type(error).__name__}: {error}"


def _write_run(settings: TrackingSettings, request: Mapping[str, Any]) -> str:
    import wandb

    for old in (settings.folder / "wandb").glob(f"offline-run-*-{request['run_id']}"):
        shutil.rmtree(old, ignore_errors=True)  # the whole history is written again below
    run = wandb.init(
        project=settings.project,
        entity=settings.entity,
        id=request["run_id"],
        name=request["name"],
        group=settings.group,
        job_type=request["job_type"],
        tags=list(settings.tags),
        config=dict(request["config"]),
        dir=str(settings.folder.absolute()),
        resume="allow",
        settings=_quiet_settings(settings.mode),
    )
    try:
        _log(run, request)
        address = f"online: {run.url}" if settings.mode == "online" else f"offline: {_offline_folder(settings, run)}"
    finally:
        run.finish()
    return address


def _log(run: Any, request: Mapping[str, Any]) -> None:
    import wandb

    if any("step" in row for row in request["history"]):
        run.define_metric("*", step_metric="step")
    index = 0
    for row in request["history"]:
        run.log(dict(row), step=index)
        index += 1
    if request["table"] is not None:
        columns, rows = request["table"]
        run.log({"samples": wandb.Table(columns=list(columns), data=[list(row) for row in rows])}, step=index)
    run.summary.update(dict(request["summary"]))


def _offline_folder(settings: TrackingSettings, run: Any) -> str:
    folder = Path(run.settings.sync_dir)
    return (
        str(folder.relative_to(settings.folder.absolute())) if folder.is_relative_to(settings.folder) else folder.name
    )


def _quiet_settings(mode: str) -> Any:
    """Nothing of the machine, its user or its code is collected: the record has the provenance, without host names."""
    import wandb

    return wandb.Settings(
        mode=mode,
        silent=True,
        console="off",
        host="",
        disable_git=True,
        disable_code=True,
        disable_job_creation=True,
        save_code=False,
        symlink=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
