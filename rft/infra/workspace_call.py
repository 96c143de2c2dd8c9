"""Builds the prepared W&B workspace once for a project, as `python -m analysis.wandb_workspace ENTITY/PROJECT` does.

build_workspace(settings, place)        # nothing where it was built before; what goes wrong stands in mirror.log
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from contextlib import suppress

from rft.infra.tracking import STATE_FOLDER, TrackingSettings
from rft.infra.wandb_runs import Place

TIMEOUT_S = 60.0


def build_workspace(settings: TrackingSettings, place: Place) -> None:
    """See the module."""
    mark = settings.folder / STATE_FOLDER / f"workspace-{hashlib.sha256(place.name.encode()).hexdigest()[:8]}"
    if mark.exists():
        return
    import wandb

    entity = settings.entity or wandb.Api(timeout=10).default_entity
    command = [sys.executable, "-m", "analysis.wandb_workspace", f"{entity}/{settings.project}"]
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
        mark.touch()
